/**
 * Regular expressions and globs on names, matched in time proportional to pattern × name (Thompson 1968, simulated as a set of states), so
 * that no pattern of a recipe can hang a compile. What needs backtracking (look-around, back-references) is not part of the language.
 */
export type NamePattern = (name: string) => boolean;

/** Thrown for a pattern that cannot be read; `message` completes "the pattern … ". */
export class PatternError extends Error {}

type Test = (character: string) => boolean;
type State = { readonly kind: 'character'; readonly test: Test; readonly next: number } | { readonly kind: 'fork'; readonly to: readonly number[] } | { readonly kind: 'done' };

const patternLimit = 256;
const stateLimit = 4096;
const depthLimit = 32;

/** A regular expression for the whole name: literals, `.`, classes, escapes, groups, `|`, and `* + ? {m,n}`, lazy or not. Throws PatternError. */
export function regexPattern(source: string): NamePattern {
  return simulate(new Compiler(bounded(source)).compile());
}

/** A glob for the whole name: `*` and `?` stay between separators, `**` crosses them, `[abc]`, `[!abc]` and `{a,b}` as in a shell. Throws PatternError. */
export function globPattern(glob: string, separator: '/' | '.' = '/'): NamePattern {
  return simulate(new Compiler(globToRegex(bounded(glob), separator)).compile());
}

function bounded(source: string): string {
  if (source.length > patternLimit) throw new PatternError(`has more than ${patternLimit} characters`);
  return source;
}

function globToRegex(glob: string, separator: '/' | '.'): string {
  const inside = separator === '/' ? '[^/]' : '[^.]';
  const cross = separator === '/' ? '(.*/)?' : '(.*[.])?';
  let braces = 0;
  const translated = glob.replaceAll(/\*\*([/.])|\*+|\?|\[(!?)((?:[^\]\\]|\\.)+)\]|\\(.)|[^]/gu, (part: string, after?: string, negated?: string, set?: string, escaped?: string) => {
    if (after !== undefined) return after === separator ? cross : `.*${literal(after)}`;
    if (part.startsWith('*')) return part.length > 1 ? '.*' : `${inside}*`;
    if (part === '?') return inside;
    if (set !== undefined) return `[${negated === '!' ? '^' : ''}${set.replaceAll(/[[^]/g, '\\$&')}]`;
    if (escaped !== undefined) return literal(escaped);
    if (part === '{') return braces++, '(';
    if (part === '}' && braces > 0) return braces--, ')';
    return part === ',' && braces > 0 ? '|' : literal(part);
  });
  if (braces > 0) throw new PatternError('has a `{` without its `}`');
  return translated;
}

const literal = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');

/** The states of a pattern, built back to front: each part is compiled with the state that follows it. */
class Compiler {
  private readonly source: string[];
  private readonly states: State[] = [];
  private at = 0;
  private depth = 0;

  constructor(source: string) {
    this.source = Array.from(source);
  }

  compile(): { states: readonly State[]; start: number } {
    const tree = this.alternatives();
    if (this.at < this.source.length) throw new PatternError('has a `)` without its `(`');
    return { start: tree(this.add({ kind: 'done' })), states: this.states };
  }

  private add(state: State): number {
    if (this.states.length >= stateLimit) throw new PatternError('repeats too much: its counted repetitions multiply');
    return this.states.push(state) - 1;
  }

  private alternatives(): Part {
    if (++this.depth > depthLimit) throw new PatternError(`nests groups more than ${depthLimit} deep`);
    const parts = [this.sequence()];
    while (this.source[this.at] === '|') {
      this.at++;
      parts.push(this.sequence());
    }
    this.depth--;
    return parts.length === 1 ? parts[0]! : (next) => this.add({ kind: 'fork', to: parts.map((part) => part(next)) });
  }

  private sequence(): Part {
    const parts: Part[] = [];
    while (this.at < this.source.length && this.source[this.at] !== '|' && this.source[this.at] !== ')') parts.push(this.repeated(this.atom()));
    return (next) => parts.reduceRight((following, part) => part(following), next);
  }

  private repeated(part: Part): Part {
    const rest = this.source.slice(this.at, this.at + 16).join('');
    const [written, symbol, low, comma, high] = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/.exec(rest) ?? [];
    if (written === undefined) return part;
    this.at += written.length;
    if (/^[*+?{]/.test(this.source[this.at] ?? '')) throw new PatternError('repeats a repetition without a group');
    const least = symbol === undefined ? Number(low) : symbol === '+' ? 1 : 0;
    const most = symbol === undefined ? (high ? Number(high) : comma ? Infinity : least) : symbol === '?' ? 1 : Infinity;
    if (least > 1000 || (most !== Infinity && most > 1000)) throw new PatternError('repeats something more than 1000 times');
    if (most < least) throw new PatternError(`has the impossible repetition ${written}`);
    return (next) => this.repeat(part, least, most, next);
  }

  private repeat(part: Part, least: number, most: number, next: number): number {
    let start = next;
    if (most === Infinity) {
      const to: number[] = [];
      start = this.add({ kind: 'fork', to });
      to.push(part(start), next);
    } else {
      for (let count = least; count < most; count++) start = this.add({ kind: 'fork', to: [part(start), next] });
    }
    for (let count = 0; count < least; count++) start = part(start);
    return start;
  }

  private atom(): Part {
    const character = this.source[this.at]!;
    if (character === '(') return this.group();
    if ('*+?{'.includes(character)) throw new PatternError(`repeats nothing: \`${character}\` at character ${this.at + 1}`);
    if (character === '^' || character === '$') {
      // The whole name is matched in any case, so anchors at the ends may stay.
      if (this.at !== (character === '^' ? 0 : this.source.length - 1)) throw new PatternError(`has \`${character}\` inside, where no name can match`);
      this.at++;
      return (next) => next;
    }
    const length = character === '[' ? this.classLength() : character === '\\' ? this.escapeLength() : 1;
    const written = this.source.slice(this.at, this.at + length).join('');
    this.at += length;
    const test = testOf(written);
    return (next) => this.add({ kind: 'character', test, next });
  }

  private group(): Part {
    this.at++;
    if (this.source[this.at] === '?') {
      if (this.source[this.at + 1] !== ':') throw new PatternError('uses look-around or a named group; only plain groups are supported');
      this.at += 2;
    }
    const part = this.alternatives();
    if (this.source[this.at] !== ')') throw new PatternError('has a `(` without its `)`');
    this.at++;
    return part;
  }

  private classLength(): number {
    for (let end = this.at + 1; end < this.source.length; end++) {
      if (this.source[end] === '\\') end++;
      else if (this.source[end] === ']') return end - this.at + 1;
    }
    throw new PatternError('has a `[` without its `]`');
  }

  private escapeLength(): number {
    const next = this.source[this.at + 1];
    if (next === undefined) throw new PatternError('ends in a lone `\\`');
    if (/[1-9bBkpPcux]/.test(next)) throw new PatternError(`uses \`\\${next}\`, which is not supported`);
    return 2;
  }
}

/** Given the state that follows, adds the states of a part and gives its first. */
type Part = (next: number) => number;

/** A test for one character; the engine of JavaScript judges classes and escapes, one character at a time. */
function testOf(written: string): Test {
  if (Array.from(written).length === 1 && written !== '.') return (character) => character === written;
  let expression: RegExp;
  try {
    expression = new RegExp(`^${/^\\[^\w\s]$/.test(written) && !/^\\[\^$\\.*+?()[\]{}|/]$/.test(written) ? written.slice(1) : written}$`, 'us');
  } catch {
    throw new PatternError(`has the invalid part \`${written}\``);
  }
  return (character) => expression.test(character);
}

function simulate({ states, start }: { states: readonly State[]; start: number }): NamePattern {
  // Following forks adds each state at most once to a set, so a step costs at most the number of states.
  const reach = (seeds: Iterable<number>): Set<number> => {
    const reached = new Set<number>();
    const open = [...seeds].reverse();
    while (open.length > 0) {
      const index = open.pop()!;
      if (reached.has(index)) continue;
      reached.add(index);
      const state = states[index]!;
      if (state.kind === 'fork') open.push(...state.to);
    }
    return reached;
  };
  const begin = reach([start]);
  return (name) => {
    let reached = begin;
    for (const character of name) {
      const next: number[] = [];
      for (const index of reached) {
        const state = states[index]!;
        if (state.kind === 'character' && state.test(character)) next.push(state.next);
      }
      if (next.length === 0) return false;
      reached = reach(next);
    }
    return [...reached].some((index) => states[index]!.kind === 'done');
  };
}
