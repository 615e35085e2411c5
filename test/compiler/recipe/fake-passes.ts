import { definePass, type Pass } from '../../../passes/pass.ts';

const nothing = (): void => undefined;

/** Declarations like those of real passes, so that the tests of the recipe front end do not depend on what real passes offer. */
export const fakePasses: readonly Pass[] = [
  definePass({
    name: 'fold', version: 1, summary: 'Evaluates what is constant.', keeps: ['ranges'], run: nothing,
    options: {
      type: 'object', additionalProperties: false,
      properties: {
        maxGrowth: { type: 'integer', minimum: 0, default: 1024, unit: 'bytes', description: 'Bytes that a result may add over its inputs.' },
        batchNorm: { type: 'boolean', default: true, description: 'Folds BatchNormalization into what is before it.' },
      },
    },
  }),
  definePass({
    name: 'structured-prune', version: 1, summary: 'Removes channels.', idempotent: false, run: nothing,
    needs: ({ importance }) => (importance === 'taylor' ? ['moments'] : []),
    options: {
      type: 'object', additionalProperties: false,
      properties: {
        amount: { type: 'number', minimum: 0, maximum: 1, default: 0.5, description: 'Share of channels that is removed.' },
        importance: { type: 'string', enum: ['l1', 'l2', 'taylor'], default: 'l2', description: 'How channels are scored.' },
        roundTo: { type: 'integer', minimum: 1, default: 8, description: 'Channels left are a multiple of this.' },
        budget: {
          type: 'object', additionalProperties: false, description: 'What must remain, instead of amount.',
          properties: {
            macs: { type: 'number', minimum: 0, maximum: 1, description: 'Share of multiply-adds.' },
            bytes: { type: 'integer', minimum: 0, unit: 'bytes', description: 'Bytes of weights.' },
          },
        },
      },
    },
  }),
  definePass({
    name: 'calibrate', version: 1, summary: 'Collects statistics.', run: nothing,
    gives: ['ranges'], keeps: ['ranges', 'moments'], outputs: ({ save }) => (save === undefined ? [] : [save]),
    options: {
      type: 'object', additionalProperties: false, required: ['data'],
      properties: {
        data: { type: 'string', format: 'reader', description: 'Name of a reader.' },
        method: { type: 'string', enum: ['min-max', 'entropy', 'percentile'], default: 'min-max', description: 'How ranges are chosen.' },
        save: { type: 'string', format: 'path', description: 'File for the statistics.' },
        percentiles: { type: 'array', items: { type: 'number', minimum: 0, maximum: 100, description: 'Percent.' }, minItems: 1, maxItems: 4, default: [99.9], description: 'Percentiles.' },
      },
    },
  }),
  definePass({
    name: 'quantize-int8', version: 1, summary: 'Quantizes to int8.', needs: ['ranges'], run: nothing,
    options: {
      type: 'object', additionalProperties: false,
      properties: { perChannel: { type: 'boolean', default: true, description: 'One scale for each output channel.' } },
    },
  }),
  definePass({
    name: 'export', version: 1, summary: 'Writes the model.', keeps: ['ranges', 'moments'], outputs: ({ output }) => [output], required: true, run: nothing,
    options: {
      type: 'object', additionalProperties: false, required: ['output'],
      properties: {
        output: { type: 'string', format: 'path', description: 'File to write.' },
        externalData: { type: 'string', enum: ['auto', 'always', 'never'], default: 'auto', description: 'Whether weights go into a file of their own.' },
        dynamicBatch: { type: 'boolean', default: false, description: 'Makes the batch symbolic.' },
      },
    },
  }),
];
