import type { AttributeKind } from '../attribute.ts';
import type { AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, ValueInfoProto } from '../onnx/fields.ts';
import { writeType } from '../onnx/type-proto.ts';
import { encodeUtf8 } from '../onnx/utf8.ts';
import type { Type } from '../type.ts';
import { attributeForms, kindOfWord, listOf } from './attributes.ts';
import { isFloatWord, Lexer, type Token } from './lexer.ts';
import { maxDepth, parseData, parseEntries, parseSparseData, parseTensorName, parseType, type TensorSources } from './literals.ts';
import { numberValue } from './numbers.ts';
import { Scope } from './scope.ts';
import { isTypeWord } from './words.ts';

/** Reads the text of a model into the messages of the ONNX file that it stands for. See `parseModel` for what is accepted and thrown. */
export function parseModelProto(text: string, file: string, sources: TensorSources): ModelProto {
  return new Parser(new Lexer(text, file), sources).model();
}

interface Value {
  readonly kind: AttributeKind | 'reference';
  readonly value: unknown;
  readonly token: Token;
}

class Parser {
  private readonly lexer: Lexer;
  private readonly sources: TensorSources;
  private depth = 0;

  constructor(lexer: Lexer, sources: TensorSources) {
    this.lexer = lexer;
    this.sources = sources;
  }

  model(): ModelProto {
    const { lexer } = this;
    const model: ModelProto = {};
    this.header({
      ir_version: () => { model.ir_version = this.int(); },
      opset_import: () => { model.opset_import = this.opsets(); },
      producer_name: () => { model.producer_name = lexer.expect('string').text; },
      producer_version: () => { model.producer_version = lexer.expect('string').text; },
      domain: () => { model.domain = lexer.expect('string').text; },
      model_version: () => { model.model_version = this.int(); },
      doc_string: () => { model.doc_string = lexer.expect('string').text; },
      metadata_props: () => {
        lexer.expect('[');
        model.metadata_props = parseEntries(lexer);
      },
    });
    model.graph = this.graph(undefined);
    while (lexer.peek().kind !== 'end') (model.functions ??= []).push(this.function());
    return model;
  }

  /** `<key: value, …>`, each key once at most. */
  private header(keys: Readonly<Record<string, () => void>>): void {
    const { lexer } = this;
    const seen = new Set<string>();
    if (!lexer.accept('<')) return;
    do {
      const key = lexer.peek();
      const read = key.kind === 'name' && Object.hasOwn(keys, key.text) ? keys[key.text] : undefined;
      if (read === undefined) throw lexer.unexpected(...Object.keys(keys));
      lexer.next();
      if (seen.has(key.text)) throw lexer.error('text/duplicate-name', `'${key.text}' was given already`, key);
      seen.add(key.text);
      lexer.expect(':');
      read();
    } while (lexer.accept(','));
    lexer.expect('>', "',' or '>'");
  }

  private opsets(): OperatorSetIdProto[] {
    const { lexer } = this;
    const opsets: OperatorSetIdProto[] = [];
    lexer.expect('[');
    if (lexer.accept(']')) return opsets;
    do {
      const domain = lexer.expect('string').text;
      lexer.expect(':');
      opsets.push({ domain, version: this.int() });
    } while (lexer.accept(','));
    lexer.expect(']', "',' or ']'");
    return opsets;
  }

  private graph(outer: Scope | undefined): GraphProto {
    const { lexer } = this;
    const name = this.name('the name of a graph');
    if (this.depth > maxDepth) throw lexer.error('text/too-deep', `graphs are nested more than ${maxDepth} deep`, name);
    this.depth++;
    const scope = new Scope(lexer, outer);
    const graph: GraphProto = { name: name.text };
    if (lexer.peek().kind === '(') graph.input = this.inputs(graph, scope);
    lexer.expect('=>');
    graph.output = this.list('(', ')', () => {
      const { info, token } = this.valueInfo();
      scope.read(token);
      return info;
    });
    if (lexer.peek().kind === '<') this.declarations(graph, scope);
    graph.node = this.nodes(scope);
    scope.close();
    this.depth--;
    return graph;
  }

  /** Inputs, each maybe with a default, which becomes an initializer. */
  private inputs(graph: GraphProto, scope: Scope): ValueInfoProto[] {
    return this.list('(', ')', () => {
      const { info, type, token, typeToken } = this.valueInfo();
      scope.define(token);
      if (this.lexer.accept('=')) this.initializer(graph, type, token, typeToken);
      return info;
    });
  }

  /** What stands between a graph's signature and its nodes: initializers and types of values. */
  private declarations(graph: GraphProto, scope: Scope): void {
    for (const entry of this.list('<', '>', () => {
      const value = this.valueInfo();
      if (!this.lexer.accept('=')) return value;
      if (!scope.has(value.token.text)) scope.define(value.token);
      this.initializer(graph, value.type, value.token, value.typeToken);
      return undefined;
    })) if (entry !== undefined) (graph.value_info ??= []).push(entry.info);
  }

  private initializer(graph: GraphProto, type: Type | undefined, { text: name }: Token, typeToken: Token): void {
    const { lexer, sources } = this;
    // Where the type does not tell the shape (an input with a symbolic axis), the elements come with a type of their own.
    const own = lexer.peek().kind === 'name' ? lexer.peek() : undefined;
    const actual = own === undefined ? type : parseType(lexer);
    if (actual === undefined) throw lexer.unexpected('elements with their type, as in float[2] {1, 2}');
    if (actual.kind === 'tensor' && actual.sparse) (graph.sparse_initializer ??= []).push(parseSparseData(lexer, actual, name, own ?? typeToken, sources));
    else (graph.initializer ??= []).push(parseData(lexer, actual, name, own ?? typeToken, sources));
  }

  private nodes(scope: Scope): NodeProto[] {
    const { lexer } = this;
    const nodes: NodeProto[] = [];
    lexer.expect('{');
    while (!lexer.accept('}')) nodes.push(this.node(scope));
    return nodes;
  }

  private node(scope: Scope): NodeProto {
    const { lexer } = this;
    const node: NodeProto = {};
    if (lexer.accept('[')) {
      if (lexer.peek().kind !== ']') node.name = this.name('the name of a node').text;
      lexer.expect(']');
    }
    node.output = this.valueNames((token) => { scope.define(token); });
    lexer.expect('=', node.output.length === 0 ? "a node, such as y = Relu (x), or '}'" : "',' or '='");
    const path = [this.name('an operator').text];
    while (lexer.accept('.')) path.push(this.name('an operator').text);
    node.op_type = path.pop()!;
    if (path.length > 0) node.domain = path.join('.');
    if (lexer.accept(':')) node.overload = this.name('an overload').text;
    let attributes = lexer.peek().kind === '<' ? this.attributes(scope) : undefined;
    lexer.expect('(', attributes === undefined ? "'<' or '('" : undefined);
    node.input = this.valueNames((token) => { scope.read(token); });
    lexer.expect(')', "',' or ')'");
    if (attributes === undefined && lexer.peek().kind === '<') attributes = this.attributes(scope);
    if (attributes !== undefined) node.attribute = attributes;
    return node;
  }

  /** Names with commas between; nothing between two commas is an empty name, nothing behind the last is no name. */
  private valueNames(visit: (token: Token) => void): string[] {
    const { lexer } = this;
    const names: string[] = [];
    for (;;) {
      const { kind } = lexer.peek();
      if (kind === 'name' || kind === 'string') {
        const token = lexer.next();
        if (token.text !== '') visit(token);
        names.push(token.text);
        if (!lexer.accept(',')) return names;
      } else if (lexer.accept(',')) {
        names.push('');
      } else {
        return names;
      }
    }
  }

  private attributes(scope: Scope): AttributeProto[] {
    const seen = new Set<string>();
    return this.list('<', '>', () => this.attribute(this.attributeName(seen), scope), { mayBeEmpty: false });
  }

  private attributeName(seen: Set<string>): string {
    const token = this.name('the name of an attribute');
    if (seen.has(token.text)) throw this.lexer.error('text/duplicate-name', `attribute '${token.text}' was given already`, token);
    seen.add(token.text);
    return token.text;
  }

  /** What follows an attribute's name: `: type`, maybe, and `= value`. */
  private attribute(name: string, scope: Scope | undefined): AttributeProto {
    const { lexer } = this;
    let kind: AttributeKind | undefined;
    if (lexer.accept(':')) {
      kind = kindOfWord(lexer.peek().text);
      if (kind === undefined && lexer.peek().text !== 'undefined') throw lexer.unexpected('a kind of attribute, such as int, floats or graph');
      lexer.next();
    }
    lexer.expect('=');
    const { value, kind: found, token } = this.attributeValue(kind, scope);
    if (found === 'reference') return { name, ref_attr_name: value as string, ...(kind !== undefined && { type: attributeForms[kind].number }) };
    if (kind !== undefined && kind !== found) {
      throw lexer.error('text/attribute-kind', `attribute '${name}' is declared as ${attributeForms[kind].word}, but this is ${attributeForms[found].word}`, token);
    }
    return { name, type: attributeForms[found].number, [attributeForms[found].field]: found === 'floats' ? Float32Array.from(value as number[]) : value };
  }

  private attributeValue(kind: AttributeKind | undefined, scope: Scope | undefined): Value {
    const { lexer } = this;
    const open = lexer.accept('[');
    if (open === undefined) return this.single(kind, scope);
    if (lexer.accept(']')) {
      if (kind === undefined || attributeForms[kind].element === undefined) {
        throw lexer.error('text/attribute-kind', 'the kind of an empty list must be declared, as in axes: ints = []', open);
      }
      return { kind, value: [], token: open };
    }
    let element = kind === undefined ? undefined : attributeForms[kind].element;
    const values: unknown[] = [];
    do {
      const { kind: found, value, token } = this.single(element, scope);
      element ??= found === 'reference' ? undefined : found;
      if (found !== element) {
        throw lexer.error('text/attribute-kind', `a list holds values of one kind: ${element === undefined ? 'no references' : attributeForms[element].word}`, token);
      }
      values.push(value);
    } while (lexer.accept(','));
    lexer.expect(']', "',' or ']'");
    return { kind: listOf(element), value: values, token: open };
  }

  /** One value; an integer is a float where one is expected. */
  private single(expected: AttributeKind | undefined, scope: Scope | undefined): Value {
    const { lexer } = this;
    const token = lexer.peek();
    const follower = lexer.peek(1).kind;
    if ((token.kind === 'name' || token.kind === 'string') && (follower === '=>' || (follower === '(' && !isTypeWord(token.kind === 'name' ? token.text : '')))) {
      return { kind: 'graph', value: this.graph(scope), token };
    }
    if (token.kind === 'name' && !isFloatWord(token.text)) return this.typed(token);
    if (token.kind !== '@' && token.kind !== 'string' && token.kind !== 'name' && token.kind !== 'int' && token.kind !== 'float') throw lexer.unexpected('the value of an attribute');
    if (token.kind === 'int' && expected !== 'float') return { kind: 'int', value: this.int(), token };
    lexer.next();
    if (token.kind === '@') return { kind: 'reference', value: this.name('the name of an attribute').text, token };
    if (token.kind === 'string') return { kind: 'string', value: encodeUtf8(token.text), token };
    const value = numberValue(token.text);
    if (!Number.isFinite(Math.fround(value)) && /\d/.test(token.text)) throw lexer.error('text/number', `${token.text} is beyond the range of float`, token);
    return { kind: 'float', value: Math.fround(value), token };
  }

  /** What begins with a type: a tensor, a sparse tensor or the type itself. */
  private typed(token: Token): Value {
    const { lexer, sources } = this;
    const type = parseType(lexer);
    const { kind } = lexer.peek();
    if (kind !== '{' && kind !== '=' && kind !== 'name' && kind !== 'string' && kind !== '[') return { kind: 'type', value: writeType(type), token };
    const name = parseTensorName(lexer);
    if (type.kind === 'tensor' && type.sparse) return { kind: 'sparseTensor', value: parseSparseData(lexer, type, name, token, sources), token };
    return { kind: 'tensor', value: parseData(lexer, type, name, token, sources), token };
  }

  private function(): FunctionProto {
    const { lexer } = this;
    const local: FunctionProto = {};
    this.header({
      domain: () => { local.domain = lexer.expect('string').text; },
      overload: () => { local.overload = lexer.expect('string').text; },
      opset_import: () => { local.opset_import = this.opsets(); },
      doc_string: () => { local.doc_string = lexer.expect('string').text; },
    });
    local.name = this.name('the name of a function').text;
    if (lexer.peek().kind === '<') this.functionAttributes(local);
    const scope = new Scope(lexer, undefined);
    const slot = (visit: (token: Token) => void) => (): string => {
      const { info, type, token } = this.valueInfo();
      visit(token);
      if (type !== undefined) (local.value_info ??= []).push(info);
      return token.text;
    };
    local.input = this.list('(', ')', slot((token) => { scope.define(token); }));
    lexer.expect('=>');
    local.output = this.list('(', ')', slot((token) => { scope.read(token); }));
    if (lexer.peek().kind === '<') (local.value_info ??= []).push(...this.list('<', '>', () => this.valueInfo().info));
    local.node = this.nodes(scope);
    scope.close();
    return local;
  }

  /** Attributes of a function: names alone, or with a default. */
  private functionAttributes(local: FunctionProto): void {
    const seen = new Set<string>();
    this.list('<', '>', () => {
      const name = this.attributeName(seen);
      const { kind } = this.lexer.peek();
      if (kind === ':' || kind === '=') (local.attribute_proto ??= []).push(this.attribute(name, undefined));
      else (local.attribute ??= []).push(name);
    }, { mayBeEmpty: false });
  }

  /** `type name`, or the name alone. */
  private valueInfo(): { readonly info: ValueInfoProto; readonly type: Type | undefined; readonly token: Token; readonly typeToken: Token } {
    const { lexer } = this;
    const typeToken = lexer.peek();
    const type = typeToken.kind === 'name' && isTypeWord(typeToken.text) ? parseType(lexer) : undefined;
    const token = this.name('the name of a value');
    return { info: { name: token.text, ...(type !== undefined && { type: writeType(type) }) }, type, token, typeToken };
  }

  private list<T>(open: '(' | '<', close: ')' | '>', item: () => T, { mayBeEmpty = true } = {}): T[] {
    const { lexer } = this;
    const items: T[] = [];
    lexer.expect(open);
    if (mayBeEmpty && lexer.accept(close)) return items;
    do items.push(item()); while (lexer.accept(','));
    lexer.expect(close, `',' or '${close}'`);
    return items;
  }

  /** A name, plain or quoted. */
  private name(what: string): Token {
    const { kind } = this.lexer.peek();
    if (kind !== 'name' && kind !== 'string') throw this.lexer.unexpected(what);
    return this.lexer.next();
  }

  /** An int64. */
  private int(): number | bigint {
    const token = this.lexer.expect('int');
    const value = BigInt(token.text);
    if (BigInt.asIntN(64, value) !== value) throw this.lexer.error('text/number', `${token.text} does not fit int64`, token);
    return Number.isSafeInteger(Number(token.text)) ? Number(value) : value;
  }
}
