import { beforeAfter, table } from './before-after.ts';

const recipe = 'demo.recipe.yaml';
const count = 2000;

console.log(`examples/demo/${recipe}, measured on ${count} generated images\n\n${table(await beforeAfter(recipe, count))}`);
