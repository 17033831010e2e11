import { messageOf } from '../errors.js';
import { parseTargetRule, targetRuleWords } from '../guard/target-rule.js';
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
