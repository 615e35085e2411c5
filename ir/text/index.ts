import { Diagnostic } from '../diagnostic.ts';
import type { Graph, Model, Node } from '../model.ts';
import { buildModel } from '../onnx/read.ts';
import type { ExternalOpener } from '../onnx/tensor-proto.ts';
import { modelProto, nodeProto } from '../onnx/write.ts';
import type { TensorSources } from './literals.ts';
import { parseModelProto } from './parse.ts';
import { Printer, type PrintOptions } from './print.ts';

export type { PrintOptions } from './print.ts';
export type { TensorSources } from './literals.ts';

/** How text is read. */
export interface ParseOptions extends TensorSources {
  /** How users know the text, for messages: a path. Default `text`. */
  readonly name?: string;
  /** Opens files that external data name. */
  readonly external?: ExternalOpener;
}

/**
 * Reads a model from the ONNX textual syntax, as onnx.parser does (docs/Syntax.md of the onnx repository, and the parser of onnx 1.23 where that
 * is silent): header, typed graph signature with defaults of inputs, initializers and types of values, nodes with labels, functions, bodies, comments with `#`.
 *
 * Beyond it, so that whatever a model holds has a text: quoted names for attributes, operators, domains, overloads and bodies; values of
 * narrow floats (`float16 {1.0}`; an integer is a bit pattern, as in onnx.parser); int4, uint4, int2 and uint2 element by element (onnx.parser 1.23 takes
 * each for a packed byte); `"sha256:…"` for the elements of a tensor that `options.tensor` finds, other words for what `options.fill` makes; `sparse_tensor(float[9]) w = {values, indices}`;
 * lists of tensors, graphs and types (onnx.parser drops their elements); `undefined` for an unknown element type; a default of another type than its input, with that type.
 *
 * Throws Diagnostics with file, line and column: `text/syntax`, `text/number`, `text/tensor-size`, `text/tensor-type`, `text/attribute-kind`,
 * `text/duplicate-name`, `text/undefined-name`, `text/elided-tensor`, `text/too-deep`, `text/too-large`; and those of `readModel` for what is grammatical and yet no model.
 */
export function parseModel(text: string, options: ParseOptions = {}): Model {
  const { name = 'text', external } = options;
  try {
    return buildModel(parseModelProto(text, name, options), name, external && { external });
  } catch (error) {
    throw Diagnostic.is(error) ? error.with({ file: name }) : error;
  }
}

/** Reads a graph alone, as the main graph of a model of IR version 10 with these operator sets (default: opset 21). */
export function parseGraph(text: string, opsets: Readonly<Record<string, number>> = { '': 21 }, options: ParseOptions = {}): Graph {
  const imports = Object.entries(opsets).map(([domain, version]) => `${JSON.stringify(domain)}: ${version}`);
  return parseModel(`<ir_version: 10, opset_import: [${imports.join(', ')}]> ${text}`, options).graph;
}

/**
 * Prints a model as `parseModel` reads it: what the written file would hold (slots give values their names, Identity nodes where one value
 * fills two slots). Equal models print alike. Left out, since the syntax has no form for them: unknown fields; doc strings and metadata of graphs,
 * nodes, values, tensors and attributes; denotations, quantization annotations, device configurations and training information; payloads of NaN.
 * Text with names of invalid UTF-8 (lone surrogates, see onnx/utf8.ts) is to be stored with `encodeUtf8`.
 */
export function printModel(model: Model, options: PrintOptions = {}): string {
  return `${new Printer(options).model(modelProto(model)).finish()}\n`;
}

/** Prints one node; values bear their labels. Bodies make it several lines. */
export function printNode(node: Node, options: PrintOptions = {}): string {
  return new Printer({ types: 'none', ...options }).node(nodeProto(node)).finish();
}
