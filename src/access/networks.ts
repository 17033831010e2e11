import { BlockList, isIP } from 'node:net';
import { plainAddress } from '../address/plain-address.js';

/** Tells whether an address is in one of the networks. */
export class Networks {
  readonly #list = new BlockList();

  /** @param networks `192.0.2.0/24`, `2001:db8::/32` or single addresses, which must be valid */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', bits] = network.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      if (bits === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(bits), family);
    }
  }

  has(address: string): boolean {
    const plain = plainAddress(address);
    const version = isIP(plain);
    return version !== 0 && this.#list.check(plain, version === 6 ? 'ipv6' : 'ipv4');
  }
}
