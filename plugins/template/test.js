import { fileURLToPath } from 'node:url';
import { testPass } from 'onnxpress/testing';
import { hardSwish } from './index.js';

// Each file in cases/ is a model and what the pass makes of it; UPDATE=1 writes the expectations. What else is checked, see specs/plugin-api.md.
testPass(hardSwish, {
  folder: fileURLToPath(new URL('cases', import.meta.url)),
  invalid: [{ options: { keepName: true }, code: 'recipe/unknown-option' }],
});
