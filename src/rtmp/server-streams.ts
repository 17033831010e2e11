import type { AmfValue } from '../wire/amf0.js';
import { UserControlEvent } from '../wire/message.js';
import type { Answers } from './answers.js';
import type { MessageChannel } from './channel.js';
import { nameArgument, textOf } from './command.js';
import { maxNameLength } from './connect.js';
import { maxStreamsPerConnection, type NetStream, NetStreams, type Role } from './net-streams.js';
import type { ServerSessionHandler } from './server-handler.js';

/**
 * The commands of a client that are about its streams, and what it is told of them (RTMP 1.0, section 7.2.2).
 *
 * Nothing that a client asks ends what it publishes already: what cannot be is refused with an answer.
 */
export class ServerStreams {
  readonly #streams = new NetStreams();
  readonly #handler: ServerSessionHandler;
  readonly #channel: MessageChannel;
  readonly #answers: Answers;
  /** Where the client connected to. */
  #connected = { app: '', tcUrl: '' };

  constructor(handler: ServerSessionHandler, channel: MessageChannel, answers: Answers) {
    this.#handler = handler;
    this.#channel = channel;
    this.#answers = answers;
  }

  /** The client connects: what it asks for from now on is in this application. */
  connect(connected: { readonly app: string; readonly tcUrl: string }): void {
    this.#connected = { app: connected.app, tcUrl: connected.tcUrl };
  }

  /** The publishing stream that media of this id is of; -1: it is nobody's. */
  publishingFor(streamId: number): number {
    return this.#streams.publishingFor(streamId);
  }

  /** Looks at what `publishingFor` will need: `prefetch` in `RingReceiver`. */
  prefetch(): number {
    return this.#streams.lastPublishing;
  }

  create(transactionId: number): void {
    const stream = this.#streams.create();
    // Its answer is what it is sent for: it goes out without a transaction, too.
    if (stream !== null) this.#answers.command(0, '_result', transactionId, null, stream.id);
    else this.#answers.error(transactionId, this.#full());
  }

  publish(streamId: number, args: readonly AmfValue[]): void {
    if (args[1] === false) this.close(streamId);
    else this.#ask(streamId, nameArgument(args), 'publish');
  }

  play(streamId: number, args: readonly AmfValue[]): void {
    if (args[1] === false) this.close(streamId);
    else this.#ask(streamId, nameArgument(args), 'play');
  }

  /** A stream that is not there means the only one that does anything. */
  close(streamId: number): void {
    this.#end(this.#streams.get(streamId) === undefined ? this.#streams.onlyActive : streamId);
  }

  /** Where the id is left out, or is no number, it is that of the message, or of the only stream that does anything. */
  delete(streamId: number, args: readonly AmfValue[]): void {
    const named = args.find((each) => typeof each === 'number' || textOf(each) !== '');
    const given = named === undefined ? Number.NaN : Number(named);
    const own = this.#streams.get(streamId) === undefined ? this.#streams.onlyActive : streamId;
    const id = Number.isNaN(given) ? own : given;
    this.#end(id);
    this.#streams.delete(id);
  }

  fcUnpublish(transactionId: number, name: string): void {
    this.#answers.result(transactionId);
    const publishing = this.#streams.all().filter(({ role }) => role === 'publishing');
    const meant =
      publishing.find((stream) => stream.name === name) ??
      publishing.find((stream) => pathOf(stream.name) === pathOf(name)) ??
      (name === '' && publishing.length === 1 ? publishing[0] : undefined);
    if (meant === undefined) return;
    this.#answers.command(0, 'onFCUnpublish', 0, null, {
      level: 'status',
      code: 'NetStream.Unpublish.Success',
      description: name,
    });
    this.#end(meant.id);
  }

  pause(streamId: number, paused: boolean): void {
    if (this.#streams.get(streamId)?.role !== 'playing') return;
    if (paused) this.#answers.status(streamId, 'status', 'NetStream.Pause.Notify', 'Paused.');
    else this.#answers.status(streamId, 'status', 'NetStream.Unpause.Notify', 'Unpaused: continues live.');
    this.#handler.onPause(streamId, paused);
  }

  acceptPublish(streamId: number): boolean {
    const stream = this.#answered(streamId, 'publishing');
    if (stream !== undefined) this.#publishStarted(stream);
    return stream !== undefined;
  }

  /**
   * Says what players wait for. The data messages that Flash Player wanted besides (`|RtmpSampleAccess`, `onStatus`) are
   * left out: ffmpeg takes each for a data stream of its own, beside video and audio.
   */
  acceptPlay(streamId: number): void {
    const stream = this.#answered(streamId, 'playing');
    if (stream === undefined) return;
    this.#channel.sendUserControl(UserControlEvent.StreamBegin, streamId);
    this.#answers.status(streamId, 'status', 'NetStream.Play.Reset', `Playing and resetting ${stream.name}.`);
    this.#answers.status(streamId, 'status', 'NetStream.Play.Start', `Started playing ${stream.name}.`);
  }

  refuse(streamId: number, code: string, description: string): void {
    if (this.#answered(streamId, 'idle') !== undefined) this.#answers.status(streamId, 'error', code, description);
  }

  endAll(description: string): void {
    for (const { id, role } of this.#streams.all()) {
      if (role === 'publishing') this.#answers.status(id, 'status', 'NetStream.Unpublish.Success', description);
      if (role === 'playing') {
        this.#channel.sendUserControl(UserControlEvent.StreamEof, id);
        this.#answers.status(id, 'status', 'NetStream.Play.Stop', description);
      }
      this.#streams.setRole(id, 'idle');
    }
  }

  #ask(streamId: number, name: string, what: 'publish' | 'play'): void {
    const code = what === 'publish' ? 'NetStream.Publish.BadName' : 'NetStream.Play.Failed';
    if (name.length > maxNameLength) {
      this.#refuse(streamId, code, `The name of a stream has ${maxNameLength} characters at most.`);
      return;
    }
    const stream = this.#streams.open(streamId);
    if (stream === null) {
      this.#refuse(streamId, code, this.#full());
      return;
    }
    if (stream.role === 'publishing' && what === 'publish' && pathOf(stream.name) === pathOf(name)) {
      this.#publishStarted(stream); // it is what it asks for
      return;
    }
    if (stream.role === 'asking' || stream.role === 'publishing') {
      this.#refuse(streamId, code, 'This stream is in use already.');
      return;
    }
    if (stream.role === 'playing') this.#end(streamId); // a second play replaces the first
    this.#streams.setRole(streamId, 'asking');
    stream.name = name;
    const request = { ...this.#connected, streamName: name, streamId };
    if (what === 'publish') this.#handler.onPublish(request);
    else this.#handler.onPlay(request);
  }

  #publishStarted({ id, name }: NetStream): void {
    this.#channel.sendUserControl(UserControlEvent.StreamBegin, id);
    this.#answers.status(id, 'status', 'NetStream.Publish.Start', `${name} is now published.`);
  }

  #refuse(streamId: number, code: string, description: string): void {
    this.#handler.onIgnored?.('order', description);
    this.#answers.status(streamId, 'error', code, description);
  }

  #full(): string {
    return `All ${maxStreamsPerConnection} streams of this connection are in use.`;
  }

  #answered(streamId: number, role: Role): NetStream | undefined {
    const stream = this.#streams.get(streamId);
    if (stream?.role !== 'asking') return undefined; // gone while the answer was on its way
    this.#streams.setRole(streamId, role);
    return stream;
  }

  #end(streamId: number): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    const { role, name } = stream;
    this.#streams.setRole(streamId, 'idle');
    if (role === 'publishing') {
      this.#answers.status(streamId, 'status', 'NetStream.Unpublish.Success', `${name} is now unpublished.`);
      this.#handler.onUnpublish(streamId);
    } else if (role === 'playing') {
      this.#answers.status(streamId, 'status', 'NetStream.Play.Stop', `Stopped playing ${name}.`);
      this.#handler.onStop(streamId);
    }
  }
}

/** A stream name without its query, which may hold another key each time. */
function pathOf(name: string): string {
  return name.split('?', 1)[0] ?? '';
}
