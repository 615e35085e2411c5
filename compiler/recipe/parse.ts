import { Composer, isAlias, isMap, isSeq, Lexer, LineCounter, Parser, type CST, type Document, type ParsedNode, type Scalar, type YAMLMap } from 'yaml';
import type { Range } from '../../ir/diagnostic.ts';
import { diagnosticAt, type Problems } from './problems.ts';
import { didYouMean } from './suggest.ts';
import { brokenTree, listTree, mapTree, quote, scalarTree, type Entry, type Place, type Tree } from './tree.ts';

/** Deepest nesting of maps and lists. Parsers of YAML recurse, so the limit is checked on tokens, before anything recurses. */
export const depthLimit: number = 64;
/** Most values in a recipe, with aliases counted as often as they are used: what stops alias bombs. */
export const nodeLimit: number = 20_000;
/** Longest single text in characters. */
export const textLimit: number = 64 * 1024;

/**
 * Parses YAML 1.2 (core schema; JSON is a subset) into a tree with places. Mistakes that leave the rest readable (duplicate keys, tags, `<<`,
 * unknown aliases, inexact numbers) are added to `problems`; broken syntax and exceeded limits are added too and give undefined.
 */
export function parseRecipe(file: string, text: string, problems: Problems): Tree | undefined {
  return problems.guard(() => new TreeBuilder(file, text.replace(/^\uFEFF/, ''), problems).build());
}

/** Parses one YAML value from the command line, such as `0.5` or `[a, b]`; undefined (with a problem added) if it is not YAML. */
export function parseValue(source: string, text: string, problems: Problems): Tree | undefined {
  return problems.guard(() => new TreeBuilder(source, text, problems, true).build());
}

class TreeBuilder {
  private readonly file: string;
  private readonly text: string;
  private readonly problems: Problems;
  private readonly lines: LineCounter = new LineCounter();
  private readonly anchors: Map<string, Tree> = new Map();
  /** A value of the command line: it has a source, but no lines and columns that would help anybody. */
  private readonly bare: boolean;

  constructor(file: string, text: string, problems: Problems, bare = false) {
    this.file = file;
    this.text = text;
    this.problems = problems;
    this.bare = bare;
  }

  build(): Tree {
    const documents = this.compose();
    const [document, second] = documents;
    if (second) throw diagnosticAt('recipe/syntax', 'a recipe is one YAML document, and a second one starts here', this.place(second.range), { suggestion: 'keep one document for each file' });
    const error = document?.errors[0];
    if (error) throw diagnosticAt('recipe/syntax', `${this.bare ? this.file.split(' ')[0]! : 'the recipe'} is not valid YAML: ${uncapitalised(error.message)}`, this.place(error.pos), this.syntaxHint(error.code, error.pos[0]));
    const contents = document?.contents;
    return contents ? this.convert(contents) : scalarTree(this.place([0, 0]), null, this.file, '');
  }

  /** Tokens first, with the depth watched, and only then the recursive composer. */
  private compose(): Document.Parsed[] {
    const parser = new Parser(this.lines.addNewLine);
    const tokens: CST.Token[] = [];
    this.lines.addNewLine(0);
    for (const lexeme of new Lexer().lex(this.text)) {
      for (const token of parser.next(lexeme)) tokens.push(token);
      // The stack holds the document and the scalar at hand beside the open collections.
      if (parser.stack.length > depthLimit + 2) throw this.limit(`maps and lists are nested more than ${depthLimit} deep`, [parser.offset, parser.offset + 1]);
    }
    tokens.push(...parser.end());
    const composer = new Composer({ version: '1.2', schema: 'core', merge: false, uniqueKeys: false, stringKeys: true, prettyErrors: false, logLevel: 'silent' });
    return [...composer.compose(tokens, true, this.text.length)] as Document.Parsed[];
  }

  private convert(node: ParsedNode): Tree {
    if (isAlias(node)) {
      const tree = this.anchors.get(node.source);
      if (tree) return tree;
      this.problems.add('recipe/unknown-alias', `\`*${node.source}\` has no anchor \`&${node.source}\` before it`, this.place(node.range), {
        ...suggestion(didYouMean(node.source, this.anchors.keys())),
      });
      return brokenTree(this.place(node.range));
    }
    if (node.tag !== undefined) this.refuseTag(node);
    const tree = this.collection(node);
    if (tree.size > nodeLimit) throw this.limit(`the recipe has more than ${nodeLimit} values, aliases counted as often as they are used`, node.range);
    if (node.anchor !== undefined) this.anchors.set(node.anchor, tree);
    return tree;
  }

  private collection(node: Exclude<ParsedNode, { type: 'ALIAS' }>): Tree {
    if (isMap(node)) return this.map(node);
    if (isSeq(node)) return listTree(this.place(node.range), node.items.map((item) => this.convert(item)));
    return this.scalar(node as Scalar.Parsed);
  }

  private map(node: YAMLMap.Parsed): Tree {
    const entries = new Map<string, Entry>();
    for (const pair of node.items) {
      const key = (pair.key as Scalar.Parsed).value as string;
      const place = this.place((pair.key as Scalar.Parsed).range);
      const value = pair.value ? this.convert(pair.value) : scalarTree(place, null, this.file, '');
      const earlier = entries.get(key);
      if (earlier) {
        this.problems.add('recipe/duplicate-key', `the key ${quote(key)} is written twice in the same map`, place, {
          suggestion: 'remove one of them', notes: [{ message: 'first written here', file: this.file, range: earlier.key!.range! }],
        });
      } else if (key === '__proto__') {
        this.problems.add('recipe/reserved-key', '`__proto__` cannot be a key', place, { suggestion: 'rename it' });
      } else if (key === '<<') {
        this.problems.add('recipe/merge-key', '`<<` does not merge maps in YAML 1.2', place, { suggestion: 'repeat the keys, use an alias for a whole value, or let a recipe `extends` another' });
      } else {
        entries.set(key, { key: place, value });
      }
    }
    return mapTree(this.place(node.range), entries);
  }

  private scalar(node: Scalar.Parsed): Tree {
    const { value } = node;
    const place = this.place(node.range);
    const text = typeof value === 'string' ? value : node.source;
    if (text.length > textLimit) throw this.limit(`a text has more than ${textLimit} characters`, node.range);
    if (typeof value === 'number' && (!Number.isFinite(value) || (!Number.isSafeInteger(value) && /^[-+]?(\d+|0x[\da-f]+|0o[0-7]+)$/i.test(text)))) {
      this.problems.add('recipe/bad-number', `${quote(text)} is ${Number.isFinite(value) ? 'an integer that a double cannot hold exactly' : 'not a finite number'}`, place, {
        suggestion: 'write a number between -2^53 and 2^53, or quotes if it is a text',
      });
      return brokenTree(place);
    }
    return scalarTree(place, isPrimitive(value) ? value : text, this.file, text);
  }

  private refuseTag(node: ParsedNode): void {
    const [start] = node.range;
    const written = /(!\S*)\s*(?:&\S+\s*)?$/.exec(this.text.slice(Math.max(0, start - 300), start));
    const at = written ? start - written[0].length : start;
    this.problems.add('recipe/tag', `the tag ${quote(written?.[1] ?? node.tag ?? '!')} is not allowed: a recipe holds plain values only`, this.place([at, at + (written?.[1]?.length ?? 1)]), {
      suggestion: 'remove the tag; quotes make a text, and programs are written in TypeScript with defineRecipe',
    });
  }

  private syntaxHint(code: string, at: number): { suggestion?: string } {
    if (this.text.slice(at - 1, at + 1) === '${') return { suggestion: 'put quotes around "${…}" inside braces and brackets' };
    return suggestion(Object.hasOwn(hints, code) ? hints[code] : undefined);
  }

  private limit(message: string, at: readonly [number, number, ...number[]]): Error {
    return diagnosticAt('recipe/limit', message, this.place(at), { suggestion: 'split the recipe with `extends`, or generate it as a TypeScript recipe' });
  }

  private place([start, end]: readonly [number, number, ...number[]]): Place {
    return this.bare ? { file: this.file } : { file: this.file, range: this.range(start, Math.max(end, start + 1)) };
  }

  private range(start: number, end: number): Range {
    const from = this.lines.linePos(start);
    const to = this.lines.linePos(end);
    return { line: from.line, column: from.col, endLine: to.line, endColumn: to.col };
  }
}

const hints: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'indent with spaces',
  BLOCK_AS_IMPLICIT_KEY: 'put quotes around a value that contains `: `',
  BAD_SCALAR_START: 'put the value in quotes',
  NON_STRING_KEY: 'a key is a single word or a quoted text',
  MISSING_CHAR: 'close the quote or bracket',
  BAD_INDENT: 'keys of one map start in the same column; brackets and braces are closed before the next key',
  UNEXPECTED_TOKEN: 'look for a missing quote, comma or line break just before this',
};

function suggestion(text: string | undefined): { suggestion?: string } {
  return text === undefined ? {} : { suggestion: text };
}

function uncapitalised(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}

function isPrimitive(value: unknown): value is string | number | boolean | null {
  return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
