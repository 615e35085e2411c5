import { Diagnostic, type DiagnosticDetails, type Range } from '../diagnostic.ts';

/** What a token is: a word, a literal, a mark that stands for itself, or the end of the text. */
export type TokenKind = 'name' | 'string' | 'int' | 'float' | 'end' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | ',' | ':' | '=' | '=>' | '@' | '.' | '?';

/** A token of the text form. `text` is the word, the number as it stands, or what a string means. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Longest text in UTF-16 units, and longest number: 770 digits are enough for any double. */
const maxText = 2 ** 29;
const maxNumber = 1000;
const marks: ReadonlySet<string> = new Set('()[]{}<>,:=@.?');
const floatWords: ReadonlySet<string> = new Set(['nan', 'inf', 'infinity']);

/** True for a word that is a float literal: `nan`, `inf` and `infinity` in any case. */
export function isFloatWord(word: string): boolean {
  return word.length <= 8 && floatWords.has(word.toLowerCase());
}

/**
 * Splits text into tokens, on demand and with one or two tokens of look-ahead. `#` begins a comment that ends with the line. Numbers are
 * those of onnx.parser: an optional minus right before digits, a point and an exponent, or before `nan` and `inf`.
 */
export class Lexer {
  private readonly text: string;
  private readonly file: string;
  private at: number;
  private readonly ahead: Token[] = [];

  /** `file` is how users know the text. Throws `text/too-large` beyond 2^29 characters. */
  constructor(text: string, file: string) {
    this.text = text;
    this.file = file;
    this.at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
    if (text.length > maxText) {
      throw new Diagnostic('text/too-large', `${file} has ${text.length} characters of model text; ${maxText} are read at most`, {
        file, suggestion: 'Print the model with large tensors elided, or use the ONNX file itself.',
      });
    }
  }

  /** The next token, or the one after it, without taking it. */
  peek(distance: 0 | 1 = 0): Token {
    while (this.ahead.length <= distance) this.ahead.push(this.scan());
    return this.ahead[distance]!;
  }

  next(): Token {
    return this.ahead.shift() ?? this.scan();
  }

  /** Takes the next token if it is of this kind. */
  accept(kind: TokenKind): Token | undefined {
    return this.peek().kind === kind ? this.next() : undefined;
  }

  /** Takes the next token, which must be of this kind; `what` says in words what belongs there. */
  expect(kind: TokenKind, what: string = spell(kind)): Token {
    if (this.peek().kind !== kind) throw this.unexpected(what);
    return this.next();
  }

  /** `text/syntax` at the next token: something else belongs there. */
  unexpected(...expected: readonly string[]): Diagnostic {
    const token = this.peek();
    const found = token.kind === 'end' ? 'the end of the text' : this.text.slice(token.start, Math.min(token.end, token.start + 40)).replace(/\s+/g, ' ');
    return this.error('text/syntax', `expected ${expected.join(' or ')}, but found ${found}`, token, { expected, actual: found });
  }

  /** A Diagnostic about a piece of the text. */
  error(code: string, message: string, { start, end }: Pick<Token, 'start' | 'end'>, details: DiagnosticDetails = {}): Diagnostic {
    return new Diagnostic(code, message, { file: this.file, range: this.range(start, end), ...details });
  }

  private range(start: number, end: number): Range {
    const [line, column] = this.position(start);
    const [endLine, endColumn] = this.position(end);
    return { line, column, endLine, endColumn };
  }

  private position(offset: number): [line: number, column: number] {
    let line = 1;
    let from = 0;
    for (let end = this.text.indexOf('\n'); end >= 0 && end < offset; end = this.text.indexOf('\n', from)) {
      line++;
      from = end + 1;
    }
    return [line, offset - from + 1];
  }

  private scan(): Token {
    this.skip();
    const { text, at: start } = this;
    const first = text[start];
    if (first === undefined) return { kind: 'end', text: '', start, end: start };
    if (first === '"') return this.string(start);
    if (isLetter(text.charCodeAt(start))) {
      const word = this.run(isLetterOrDigit);
      return { kind: 'name', text: word, start, end: this.at };
    }
    if (first === '-' || isDigit(text.charCodeAt(start))) return this.number(start);
    if (!marks.has(first)) throw this.error('text/syntax', `'${first}' has no meaning here`, { start, end: start + 1 });
    const kind = first === '=' && text[start + 1] === '>' ? '=>' : first;
    this.at += kind.length;
    return { kind: kind as TokenKind, text: kind, start, end: this.at };
  }

  private skip(): void {
    const { text } = this;
    for (;;) {
      const code = text.charCodeAt(this.at);
      if (code === 0x20 || (code >= 9 && code <= 13)) {
        this.at++;
      } else if (code === 0x23) {
        const end = text.indexOf('\n', this.at);
        this.at = end < 0 ? text.length : end;
      } else {
        return;
      }
    }
  }

  private string(start: number): Token {
    const { text } = this;
    const parts: string[] = [];
    let from = start + 1;
    for (let at = from; ; at++) {
      const code = text.charCodeAt(at);
      if (code === 0x22) {
        parts.push(text.slice(from, at));
        this.at = at + 1;
        return { kind: 'string', text: parts.join(''), start, end: this.at };
      }
      if (code === 0x5c) {
        parts.push(text.slice(from, at));
        from = ++at;
      }
      if (at >= text.length) throw this.error('text/syntax', 'this string is not closed', { start, end: start + 1 }, { suggestion: 'Put a " at its end.' });
    }
  }

  private number(start: number): Token {
    const { text } = this;
    let kind: 'int' | 'float' = 'int';
    if (text[start] === '-') this.at++;
    if (isLetter(text.charCodeAt(this.at))) {
      kind = 'float';
      if (!isFloatWord(this.run(isLetterOrDigit))) throw this.error('text/number', 'this is no number', { start, end: this.at });
    } else if (this.run(isDigit) === '') {
      throw this.error('text/number', "a '-' must stand right before a number", { start, end: this.at });
    } else {
      if (text[this.at] === '.') {
        kind = 'float';
        this.at++;
        this.run(isDigit);
      }
      if (text[this.at] === 'e' || text[this.at] === 'E') {
        kind = 'float';
        this.at++;
        if (text[this.at] === '+' || text[this.at] === '-') this.at++;
        if (this.run(isDigit) === '') throw this.error('text/number', 'this exponent has no digits', { start, end: this.at });
      }
    }
    if (this.at - start > maxNumber) throw this.error('text/number', `this number has more than ${maxNumber} characters`, { start, end: this.at });
    return { kind, text: text.slice(start, this.at), start, end: this.at };
  }

  /** Takes characters while they are of a kind. */
  private run(is: (code: number) => boolean): string {
    const from = this.at;
    while (is(this.text.charCodeAt(this.at))) this.at++;
    return this.text.slice(from, this.at);
  }
}

function spell(kind: TokenKind): string {
  return { name: 'a name', string: 'a string', int: 'an integer', float: 'a number', end: 'the end of the text' }[kind as string] ?? `'${kind}'`;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f;
}

function isLetterOrDigit(code: number): boolean {
  return isLetter(code) || isDigit(code);
}
