import { exactlyOne, type Schema } from './schema.ts';

const textOrTexts = (description: string): Schema => ({
  type: ['string', 'array'], items: { type: 'string', minLength: 1, maxLength: 256 }, minItems: 1, minLength: 1, maxLength: 256, description,
});
const selector: Schema = { $ref: '#/definitions/selector' };
const selectors = (description: string): Schema => ({ type: 'array', items: selector, minItems: 1, description });

/** The ways to name nodes, one of which a selector has. */
export const selectorForms = ['name', 'regex', 'op', 'tensor', 'module', 'between', 'any', 'all', 'not'] as const;

/** One selector: the text `$name`, or a map with one form. */
export const selectorSchema: Schema = {
  type: ['string', 'object'],
  description: 'Which nodes: `$name` for a selector under `select`, or a map with one of name, regex, op, tensor, module, between, any, all, not.',
  if: { type: 'string' },
  then: { pattern: '^\\$[A-Za-z_][\\w.-]*$' },
  else: {
    title: 'a selector',
    additionalProperties: false,
    properties: {
      name: textOrTexts('Glob on the name of a node in the model as it was read: `*` stays between slashes, `**` crosses them.'),
      regex: { type: 'string', minLength: 1, maxLength: 256, description: 'Regular expression for the whole name of a node.' },
      op: textOrTexts('Operator type, such as Conv; `com.acme::Foo` for another domain.'),
      tensor: textOrTexts('Glob on the name of a tensor; selects the nodes that produce or consume it.'),
      module: textOrTexts('Glob on the path of the source module, such as encoder.layers.*, where the exporter recorded it.'),
      between: {
        type: 'object', title: '`between`', additionalProperties: false, required: ['from', 'to'],
        properties: {
          from: textOrTexts('Name of a node, a tensor, or an input or output of the graph.'),
          to: textOrTexts('Name of a node, a tensor, or an input or output of the graph.'),
        },
        description: 'Everything that `from` reaches and from which `to` is reached, both included.',
      },
      any: selectors('Nodes that one of these selects.'),
      all: selectors('Nodes that each of these selects.'),
      not: { ...selector, description: 'Nodes that this does not select.' },
      expect: { type: 'integer', minimum: 0, description: 'How many nodes must be selected, exactly.' },
      optional: { type: 'boolean', description: 'Selecting nothing is an error unless this is true.' },
    },
    oneOf: exactlyOne(...selectorForms),
  },
};

/** A condition under `when`. */
export const conditionSchema: Schema = {
  type: 'object',
  title: 'a condition',
  additionalProperties: false,
  properties: {
    var: { type: 'string', minLength: 1, description: 'Name of a variable, compared by is, in or not.' },
    is: { type: ['string', 'number', 'boolean', 'null'], description: 'The variable has this value.' },
    in: { type: 'array', items: { type: ['string', 'number', 'boolean', 'null'] }, minItems: 1, description: 'The variable has one of these values.' },
    not: {
      type: ['string', 'number', 'boolean', 'null', 'object'], description: 'With var: the variable has another value. Alone: the condition does not hold.',
      if: { type: 'object' }, then: { $ref: '#/definitions/condition' },
    },
    target: textOrTexts('Glob on the target of the recipe, such as tensorrt-*.'),
    opset: { type: ['integer', 'string'], pattern: '^(>=|<=|>|<|=)? *\\d{1,3}$', minimum: 1, description: 'Opset of the model, such as ">=19".' },
    matches: { $ref: '#/definitions/selector', description: 'The selector selects something.' },
    any: { type: 'array', items: { $ref: '#/definitions/condition' }, minItems: 1, description: 'One of these holds.' },
    all: { type: 'array', items: { $ref: '#/definitions/condition' }, minItems: 1, description: 'Each of these holds.' },
  },
  if: { required: ['var'] },
  then: { oneOf: exactlyOne('is', 'in', 'not') },
  else: { oneOf: exactlyOne('target', 'opset', 'matches', 'any', 'all', 'not') },
  dependencies: { is: ['var'], in: ['var'] },
};
