import { Diagnostic } from '../../ir/diagnostic.ts';

/** A parser for an option that takes a whole number. Throws `usage/bad-number`. */
export function count(option: string): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text)) return Number(text);
    throw new Diagnostic('usage/bad-number', `${option} takes a whole number, not ${JSON.stringify(text)}`, { suggestion: `Write something like ${option} 10.` });
  };
}

/** A parser for an option that takes a number from 0 on. Throws `usage/bad-number`. */
export function share(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
    throw new Diagnostic('usage/bad-number', `${option} takes a number from 0 on, not ${JSON.stringify(text)}`, { suggestion: `Write something like ${option} 0.001.` });
  };
}
