import type { Attribute, AttributeKind } from './attribute.ts';
import type { DiagnosticDetails } from './diagnostic.ts';
import { calleeOf } from './inline.ts';
import type { Graph, LocalFunction, Model, Node } from './model.ts';
import { newestOpset, opFacts, type OpFacts } from './ops.ts';

/** Takes a finding. */
export type Report = (code: string, message: string, details: DiagnosticDetails) => void;

/** How messages name a node: unnamed ones by what they produce. */
export function describeNode(node: Node): string {
  const output = node.outputs.find((value) => value !== undefined);
  return node.name !== '' || output === undefined ? `node '${node.name}' (${node.op})` : `the ${node.op} that makes '${output.name}'`;
}

/** Domains whose operators are all in the table of facts: there, an unknown operator is a mistake. */
const complete = new Set(['']);

const kinds: ReadonlyMap<string, AttributeKind> = new Map([
  ['sparse_tensor', 'sparseTensor'], ['sparse_tensors', 'sparseTensors'], ['type_proto', 'type'], ['type_protos', 'types'],
]);

/** Checks a node against what its operator, or the function that it calls, allows. Operators of foreign domains are left alone. */
export function verifyNode(node: Node, model: Model, local: LocalFunction | undefined, report: Report): void {
  const { domain, op } = node;
  const check = new NodeCheck(node, report);
  check.references(local);
  const opset = node.graph.opset(domain);
  if (opset === undefined) {
    check.fail('model/opset', `is of domain '${domain || 'ai.onnx'}', of which ${local === undefined ? 'the model' : `function '${local.name}'`} imports no version`,
      'Add the domain to opset_import.');
    return;
  }
  const called = calleeOf(node, model);
  if (called !== undefined) check.call(called);
  else if (domain !== '' || opset <= newestOpset) {
    const facts = opFacts(domain, op, opset);
    if (facts !== undefined && !facts.deprecated) check.operator(facts);
    else if (facts !== undefined || complete.has(domain)) {
      check.fail('model/operator', `is no operator of opset ${opset}${facts === undefined ? '' : `: ${op} ended with opset ${facts.since}`}`,
        'Check the spelling and the opset; an operator of your own needs a domain of its own or a local function.');
    }
  }
}

class NodeCheck {
  private readonly node: Node;
  private readonly report: Report;

  constructor(node: Node, report: Report) {
    this.node = node;
    this.report = report;
  }

  fail(code: string, what: string, suggestion: string, expected?: string): void {
    this.report(code, `${describeNode(this.node)} ${what}`, { node: this.node.reference, suggestion, ...(expected !== undefined && { expected: [expected] }) });
  }

  /** Attribute references stand in function bodies only, and name an attribute of the function. */
  references(local: LocalFunction | undefined): void {
    for (const [name, attribute] of this.node.attributes) {
      if (attribute.kind !== 'reference') continue;
      if (local === undefined) {
        this.fail('model/reference', `takes '${name}' from attribute '${attribute.name}' of a call, but does not stand in a function`, 'Give the attribute a value.');
      } else if (!local.attributes.includes(attribute.name) && !local.defaults.has(attribute.name)) {
        this.fail('model/reference', `takes '${name}' from attribute '${attribute.name}', which function '${local.name}' does not declare`, 'Declare it in the function.');
      }
    }
  }

  call({ name, body, attributes }: LocalFunction): void {
    const { inputs, outputs, attributes: given } = this.node;
    if (inputs.length > body.inputs.length) this.count('inputs', inputs.length, `function '${name}' has ${body.inputs.length}`);
    if (outputs.length > body.outputs.length) this.count('outputs', outputs.length, `function '${name}' has ${body.outputs.length}`);
    for (const attribute of attributes) if (!given.has(attribute)) this.missing(attribute, `function '${name}'`);
  }

  operator(facts: OpFacts): void {
    const { node: { inputs, outputs, attributes, op } } = this;
    const [least, most] = facts.inputs;
    if (inputs.length > most) this.count('inputs', inputs.length, `${op} takes at most ${most}`);
    for (let index = 0; index < Math.max(least, Math.min(inputs.length, most)); index++) {
      if (inputs[index] !== undefined || facts.optional.includes(index)) continue;
      this.fail('model/inputs', `lacks input ${index}, which ${op} needs`, 'Give it a value.');
    }
    if (outputs.length > facts.outputs[1]) this.count('outputs', outputs.length, `${op} makes at most ${facts.outputs[1]}`);
    if (outputs.length < facts.outputs[0]) this.count('outputs', outputs.length, `${op} makes at least ${facts.outputs[0]}`);
    for (const [name, { type, required }] of facts.attributes) {
      const attribute = attributes.get(name);
      const kind = kinds.get(type) ?? (type as AttributeKind);
      if (attribute === undefined) {
        if (required) this.missing(name, op);
      } else if (kindOf(attribute) !== undefined && kindOf(attribute) !== kind) {
        this.fail('model/attribute', `has attribute '${name}' of kind ${attribute.kind}, but ${op} wants ${kind}`, 'Give it the right kind.', kind);
      }
    }
    // Names with two underscores are private notes, which checkers and runtimes pass over.
    for (const name of attributes.keys()) {
      if (facts.attributes.has(name) || name.startsWith('__')) continue;
      this.fail('model/attribute', `has attribute '${name}', which ${op} does not have in version ${facts.since}`, 'Remove the attribute, or import the opset that brought it.');
    }
    if (this.node.domain === '') this.bodies(facts.since);
  }

  /** Inputs and outputs of the bodies of control flow agree with the node's (operator specifications of If, Loop, Scan, SequenceMap). */
  private bodies(since: number): void {
    const { node } = this;
    if (node.op === 'If') {
      const [yes, no] = [this.body('then_branch'), this.body('else_branch')];
      this.branch('then_branch', yes);
      this.branch('else_branch', no);
      if (yes && no && yes.outputs.length !== no.outputs.length) {
        this.fail('model/body', `has branches with ${yes.outputs.length} and ${no.outputs.length} outputs`, 'Both branches must have the same outputs.');
      }
      return;
    }
    const body = this.body('body');
    if (body === undefined) return;
    const { length } = node.inputs;
    if (node.op === 'Loop') {
      const carried = Math.max(length - 2, 0);
      this.signature(body, 2 + carried, 1 + carried, 1);
    } else if (node.op === 'Scan') {
      // Version 8 has sequence lengths as its first input, which the body does not see.
      const seen = since === 8 ? length - 1 : length;
      const states = seen - node.int('num_scan_inputs', 0);
      if (states < 0) this.fail('model/body', `has ${seen} inputs for ${node.int('num_scan_inputs', 0)} scan inputs`, 'Set num_scan_inputs to the number of scanned inputs.');
      else this.signature(body, seen, states, 0);
    } else if (node.op === 'SequenceMap') {
      this.signature(body, length, 0, 0);
    }
  }

  private branch(name: string, body: Graph | undefined): void {
    if (body === undefined) return;
    if (body.inputs.length > 0) this.fail('model/body', `has inputs in its ${name}`, 'Branches of If have no inputs; they read outer values by name.');
    if (this.node.outputs.length > body.outputs.length) {
      this.fail('model/body', `has ${this.node.outputs.length} outputs, but its ${name} has ${body.outputs.length}`, 'The branches must make all outputs.');
    }
  }

  /** `hidden` outputs of the body (a condition) are not among the node's. */
  private signature(body: Graph, inputs: number, leastOutputs: number, hidden: number): void {
    const { node } = this;
    if (body.inputs.length !== inputs) this.fail('model/body', `has a body with ${body.inputs.length} inputs, but its own inputs call for ${inputs}`, 'Make the body fit the node.');
    if (body.outputs.length < Math.max(leastOutputs, node.outputs.length + hidden)) {
      this.fail('model/body', `has a body with ${body.outputs.length} outputs, but needs at least ${Math.max(leastOutputs, node.outputs.length + hidden)}`, 'Make the body fit the node.');
    }
  }

  private body(name: string): Graph | undefined {
    const attribute = this.node.attributes.get(name);
    return attribute?.kind === 'graph' ? attribute.value : undefined;
  }

  private count(side: 'inputs' | 'outputs', actual: number, rule: string): void {
    this.fail(`model/${side}`, `has ${actual} ${side}, but ${rule}`, 'Compare the node with the specification of its operator in this opset.');
  }

  private missing(attribute: string, owner: string): void {
    this.fail('model/attribute-missing', `lacks attribute '${attribute}', which ${owner} needs`, 'Add the attribute.');
  }
}

/** The kind of an attribute's value, as far as it is known. */
function kindOf(attribute: Attribute): AttributeKind | undefined {
  return attribute.kind === 'reference' ? attribute.type : attribute.kind;
}
