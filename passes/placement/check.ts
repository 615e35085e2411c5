import type { Value } from '../../ir/model.ts';
import type { Flow } from './flow.ts';
import type { KernelContext } from './kernels.ts';
import type { Placement } from './placement.ts';

/**
 * Asserts what must hold of any placement: pairs stand on activations, are read, and never inside a kernel; a region reads all of its
 * activations as int8; every pair belongs to a class that is observed or fixed. A violation is a defect of the placement, and throws.
 */
export function checkPlacement({ pairs, classes, regions }: Placement, { units }: Flow, { view, facts }: KernelContext): void {
  const inside = new Set<unknown>([...units].flatMap(({ members, output }) => members.flatMap((member) => member.outputs).filter((value) => value !== output)));
  const outputs = new Set([...units].map(({ output }) => output));
  const read = new Set<string>();
  for (const { value, consumers, scaleClass } of pairs) {
    const { name } = value;
    if (!view.isActivation(value)) fail(`a pair stands on '${name}', which is no activation`);
    if (inside.has(value)) fail(`a pair stands on '${value.name}', inside a kernel`);
    if (consumers.length === 0) fail(`nobody reads the pair on '${value.name}'`);
    if ((classes[scaleClass]?.observe.length ?? 0) === 0) fail(`the pair on '${value.name}' has no scale`);
    if (new Set(consumers.map(({ node, input }) => `${view.rank(node)} ${input}`)).size < consumers.length) fail(`a consumer reads the pair on '${value.name}' twice`);
    for (const { node, input } of consumers) {
      if (node.inputs[input] !== value) fail(`'${node.name}' does not read '${value.name}'`);
      read.add(`${view.rank(node)} ${input}`);
    }
    // The kernel writes codes and nothing else.
    if (facts.pairs === 'all' && outputs.has(value) && consumers.length < value.uses.length) fail(`somebody reads '${value.name}' beside its pair`);
  }
  for (const region of regions) {
    for (const { value, input } of view.variable(region.head)) {
      if (!read.has(`${view.rank(region.head)} ${input}`) && !throughCopies(value, read, view)) fail(`'${region.head.name}' reads '${value.name}' as float`);
    }
  }
}

/** True if a copy before the value reads a pair. */
function throughCopies(value: Value, read: ReadonlySet<string>, view: KernelContext['view']): boolean {
  for (let node = value.producer; node !== undefined; node = node.inputs[0]?.producer) if (read.has(`${view.rank(node)} 0`)) return true;
  return false;
}

function fail(problem: string): never {
  throw new Error(`placement: ${problem}`);
}
