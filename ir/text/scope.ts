import type { Lexer, Token } from './lexer.ts';

/**
 * The names of one graph while it is read: what it defines, and what its nodes and outputs read. A body may read what graphs around it
 * define. Nodes may stand in any order.
 */
export class Scope {
  private readonly lexer: Lexer;
  private readonly outer: Scope | undefined;
  private readonly defined = new Map<string, Token>();
  private readonly reads = new Map<string, Token>();

  constructor(lexer: Lexer, outer: Scope | undefined) {
    this.lexer = lexer;
    this.outer = outer;
  }

  /** A value comes into being. Throws `text/duplicate-name` if the name is taken. */
  define(token: Token): void {
    const before = this.defined.get(token.text);
    if (before !== undefined) {
      const { range } = this.lexer.error('', '', before);
      throw this.lexer.error('text/duplicate-name', `'${token.text}' names another value of this graph already, in line ${range!.line}`, token, {
        suggestion: 'Every input, initializer and output of a node needs a name of its own.',
      });
    }
    this.defined.set(token.text, token);
  }

  has(name: string): boolean {
    return this.defined.has(name);
  }

  read(token: Token): void {
    if (!this.reads.has(token.text)) this.reads.set(token.text, token);
  }

  /** All of the graph was read: what it does not define, graphs around it must. Throws `text/undefined-name`. */
  close(): void {
    for (const [name, token] of this.reads) {
      if (this.defined.has(name)) continue;
      if (this.outer === undefined) {
        throw this.lexer.error('text/undefined-name', `nothing here is named '${name}'`, token, {
          suggestion: 'A node may read inputs, initializers and outputs of nodes, of its graph and of graphs around it.',
        });
      }
      this.outer.read(token);
    }
  }
}
