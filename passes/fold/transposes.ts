import type { Node, Value } from '../../ir/model.ts';
import { any, constant, oneOf, op, type OpPattern, type Pattern } from '../pattern.ts';
import { rule, type Rule } from '../rewrite.ts';
import { permutationOf } from './identities.ts';
import { rankOf } from './operands.ts';

/** Operators of one operand that look at one element at a time. */
const unary = [
  'Abs', 'Acos', 'Asin', 'Atan', 'Cast', 'Ceil', 'Clip', 'Cos', 'Elu', 'Erf', 'Exp', 'Floor', 'Gelu', 'HardSigmoid', 'HardSwish', 'LeakyRelu', 'Log', 'Mish', 'Neg', 'Not',
  'Reciprocal', 'Relu', 'Round', 'Selu', 'Sigmoid', 'Sign', 'Sin', 'Softplus', 'Softsign', 'Sqrt', 'Tan', 'Tanh', 'ThresholdedRelu',
];

/** With a constant of one element as the other operand they do so as well. */
const binary = ['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min'];

interface Chain {
  readonly x: Value;
  readonly inner: Node;
}

/** All patterns of a Transpose, one to `length` elementwise nodes that nothing else reads, and a Transpose. The nodes are bound as `node1`, the last first. */
function chainsOf(length: number): readonly OpPattern<Chain>[] {
  let fronts: readonly Pattern<Chain>[] = [op('Transpose', any('x')).as('inner')];
  const patterns: OpPattern<Chain>[] = [];
  for (let at = 1; at <= length; at++) {
    const label = `node${at}` as const;
    fronts = fronts.flatMap((front): Pattern<Chain>[] => [
      oneOf(unary, front).open().soleUse().as(label),
      oneOf(binary, front, constant(`c${at}`, ({ size, shape }) => size === 1 && shape.length <= 1)).soleUse().as(label),
    ]);
    patterns.push(...fronts.map((front) => op('Transpose', front)));
  }
  return patterns;
}

/** Elementwise nodes do not care for the order of the elements: the two transposes around them are one, or none. */
const through = rule({
  name: 'transpose-through',
  summary: 'Merges two transposes around elementwise operators.',
  match: chainsOf(3),
  when: ({ root, inner, x }) => {
    const first = permutationOf(inner, rankOf(x));
    const second = permutationOf(root, first?.length);
    return first !== undefined && first.length > 0 && second?.length === first.length && { perm: second.map((axis) => first[axis]!) };
  },
  rewrite: ($, match, { perm }) => {
    const { root, inner, x } = match;
    const rebuilt = (value: Value): Value => {
      const node = value.producer!;
      if (node === inner) return x;
      const at = binary.includes(node.op) ? node.inputs.findIndex((input) => input?.constant === undefined) : 0;
      return $.op(node.op, node.inputs.with(at, rebuilt(node.inputs[at]!)), node.attributes, { name: node.name });
    };
    const value = rebuilt(root.inputs[0]!);
    return perm.every((axis, index) => axis === index) ? value : $.op('Transpose', [value], { perm }, { types: [root.output.type] });
  },
});

/** Transposes that cancel across other nodes. */
export const transposes: readonly Rule[] = [through];
