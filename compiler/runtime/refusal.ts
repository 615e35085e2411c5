import { Diagnostic, type DiagnosticDetails } from '../../ir/diagnostic.ts';
import { isDType, type DType } from '../../ir/dtype.ts';
import type { Node } from '../../ir/model.ts';
import { Refusal } from './client.ts';
import type { Probe } from './probe.ts';

/** What ONNX Runtime's words say about the culprit, as far as they do. */
export interface Blame {
  /** The node named first, as it stands in the model, be it inside a body or a function. */
  readonly node?: Node;
  /** The operator of which nothing is known, `domain` and `op`. */
  readonly operator?: readonly [domain: string, op: string];
  /** The number of a value whose helper node (`c#7`) was refused. */
  readonly helper?: string;
  /** A claim that is not true: the value's name, and the element type that it has in truth. */
  readonly claim?: { readonly name: string; readonly dtype: DType | undefined };
}

/** Finds the culprit in a message about a probe. */
export function blame(message: string, probe: Probe): Blame {
  const claim = /of output arg \((v#\d+)\) of node \(.*?\) does not match expected type \((.*?)\)\./.exec(message);
  if (claim !== null) {
    const inner = /^tensor\((\w+)\)$/.exec(claim[2]!)?.[1];
    return { claim: { name: claim[1]!, dtype: inner !== undefined && isDType(inner) ? inner : undefined } };
  }
  const unknown = /Fatal error: (.*):(\w+)\(-?\d+\) is not a registered function\/op/.exec(message);
  if (unknown !== null) return { operator: [unknown[1] === 'ai.onnx' ? '' : unknown[1]!, unknown[2]!] };
  const named = /\b([nc]#\d+)/.exec(message)?.[1];
  if (named === undefined) return {};
  if (named.startsWith('c')) return { helper: named };
  const node = probe.nodeOf(named);
  return node === undefined ? {} : { node };
}

/**
 * The index of the item with which refusals begin, where a message names none: the last of the shortest refused prefix, by bisection. `attempt` is given the
 * length of a prefix and throws a Refusal; the whole list is known to be refused.
 */
export async function firstRefused(count: number, attempt: (count: number) => Promise<unknown>): Promise<number> {
  let [accepted, refused] = [0, count];
  while (refused - accepted > 1) {
    const middle = (accepted + refused) >> 1;
    try {
      await attempt(middle);
      accepted = middle;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refused = middle;
    }
  }
  return refused - 1;
}

/** ONNX Runtime's words with our names in them, without its own decoration. */
export function readable(message: string, probe: Probe): string {
  return message
    .replace(/^Load model from .*? failed:\s*/, '')
    .replace(/^Non-zero status code returned while running \S+ node\. Name:'.*?' Status Message: /, '')
    .replace(/\/onnxruntime_src\/\S+?:\d+ .*?\) (?=[A-Z])/g, '')
    .replace(/[nc]#\d+/g, (name) => probe.nodeOf(name)?.name ?? name)
    .replace(/[vr]#\d+/g, (name) => probe.valueOf(name)?.name ?? name)
    .trim();
}

/** The Diagnostic that stands for a refusal: with the node's name, its operator, and ONNX Runtime's reason. */
export function refused(code: string, what: string, message: string, probe: Probe, details: DiagnosticDetails = {}): Diagnostic {
  const { node } = blame(message, probe);
  const where = node === undefined ? '' : ` at node '${node.name}' (${node.op})`;
  return new Diagnostic(code, `${what}${where}: ${readable(message, probe)}`, { ...(node !== undefined && { node: node.reference }), ...details });
}
