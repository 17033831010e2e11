import { type LocatedNetwork, locatedNetworkWords, parseLocatedNetwork } from '../address/location-table.js';
import { parseTargetRule, targetRuleWords } from '../address/target-rule.js';
import { messageOf } from '../errors.js';
import { show, ValueProblem, type ValueType } from './values.js';

const maxRules = 1000;

/** Entries with a rule of their own: a list in the file, commas between them elsewhere. @param parse throws what is wrong */
function rulesType<T>(
  words: string,
  parse: (text: string) => T,
  format: (entry: T) => string,
): ValueType<readonly T[]> {
  return {
    placeholder: '<list>',
    rule: `entries with commas between them, or a list in the file; each is ${words}`,
    format: (value) => value.map(format).join(','),
    parse(raw) {
      const items: unknown[] = Array.isArray(raw) ? raw : typeof raw === 'string' ? raw.split(',') : [raw];
      if (items.length > maxRules) throw new ValueProblem(`has ${items.length} entries; at most ${maxRules} are read`);
      return items.map((item) => {
        try {
          return parse(typeof item === 'string' ? item.trim() : '');
        } catch (error) {
          throw new ValueProblem(`has ${show(item)}, which ${messageOf(error)}`);
        }
      });
    },
  };
}

/** Networks and hosts that are targets, or are none. */
export function targetRulesType(): ValueType<readonly string[]> {
  const checked = (text: string): string => {
    parseTargetRule(text);
    return text;
  };
  return rulesType(targetRuleWords, checked, String);
}

/** Which networks are where. */
export function locatedNetworksType(): ValueType<readonly LocatedNetwork[]> {
  return rulesType(locatedNetworkWords, parseLocatedNetwork, ({ network, location }) => `${location}=${network}`);
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
