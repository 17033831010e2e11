import { type LocatedNetwork, locatedNetworkWords, parseLocatedNetwork } from '../address/location-table.js';
import { parseTargetRule, targetRuleWords } from '../address/target-rule.js';
import { messageOf } from '../errors.js';
import { show, ValueProblem, type ValueType } from './values.js';

const maxRules = 1000;

/** Networks and hosts: a list in the file, commas between them elsewhere. */
export function targetRulesType(): ValueType<readonly string[]> {
  return {
    placeholder: '<list>',
    rule: `entries with commas between them, or a list in the file; each is ${targetRuleWords}`,
    format: (value) => value.join(','),
    parse(raw) {
      const items: unknown[] = Array.isArray(raw) ? raw : typeof raw === 'string' ? raw.split(',') : [raw];
      if (items.length > maxRules) throw new ValueProblem(`has ${items.length} entries; at most ${maxRules} are read`);
      return items.map((item) => {
        const text = typeof item === 'string' ? item.trim() : '';
        try {
          parseTargetRule(text);
        } catch (error) {
          throw new ValueProblem(`has ${show(item)}, which ${messageOf(error)}`);
        }
        return text;
      });
    },
  };
}

/** Which networks are where: a list in the file, commas between them elsewhere. */
export function locatedNetworksType(): ValueType<readonly LocatedNetwork[]> {
  return {
    placeholder: '<list>',
    rule: `entries with commas between them, or a list in the file; each is ${locatedNetworkWords}`,
    format: (value) => value.map(({ network, location }) => `${location}=${network}`).join(','),
    parse(raw) {
      const items: unknown[] = Array.isArray(raw) ? raw : typeof raw === 'string' ? raw.split(',') : [raw];
      if (items.length > maxRules) throw new ValueProblem(`has ${items.length} entries; at most ${maxRules} are read`);
      return items.map((item) => {
        try {
          return parseLocatedNetwork(typeof item === 'string' ? item.trim() : '');
        } catch (error) {
          throw new ValueProblem(`has ${show(item)}, which ${messageOf(error)}`);
        }
      });
    },
  };
}

/** The URL of an auth hook, with path and query. User info is refused, because settings are shown. */
export function hookUrlType(): ValueType<string> {
  const rule = 'a URL like http://HOST:PORT/PATH';
  return {
    placeholder: '<url>',
    rule,
    format: (value) => value,
    parse(raw) {
      const text = typeof raw === 'string' ? raw.trim() : '';
      if (text.length > 1024 || !/^https?:\/\/[^\s#]+$/i.test(text) || !URL.canParse(text)) {
        throw new ValueProblem(`is ${show(raw)}, but must be ${rule}`);
      }
      const url = new URL(text);
      if (url.username !== '' || url.password !== '') {
        throw new ValueProblem('has a user name or password, which would be shown; leave it out');
      }
      return text;
    },
  };
}
