// The demo's truth file: one answer per photo and attribute, and the keys that give it.
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const DEMO = resolve(__dirname, '../../demo');

export const ATTRIBUTES = ['ear', 'coat', 'body'] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

export interface Truth {
  /** The answer by photo and attribute. */
  answer: (image: string, attribute: Attribute) => string;
  /** Values on offer, in the order of the pages. */
  values: Record<Attribute, string[]>;
  /** Photos. */
  images: string[];
}

/** Reads `demo/truth.csv`, and the values' order from the breed standards. */
export async function readTruth(): Promise<Truth> {
  const rows = (await readFile(join(DEMO, 'truth.csv'), 'utf8')).trim().split('\n').slice(1).map((line) => line.split(','));
  const answers = new Map(rows.map(([image, attribute, answer]) => [`${image} ${attribute}`, answer]));
  const [header] = (await readFile(join(DEMO, 'breed_standards.csv'), 'utf8')).split('\n');
  const values = { ear: [], coat: [], body: [] } as Record<Attribute, string[]>;
  for (const column of header.split(',').slice(2)) {
    const [attribute, value] = column.split('.');
    values[attribute as Attribute].push(value);
  }
  return {
    answer: (image, attribute) => {
      const answer = answers.get(`${image} ${attribute}`);
      if (!answer) throw new Error(`no truth for ${image} ${attribute}`);
      return answer;
    },
    values,
    images: [...new Set(rows.map(([image]) => image))],
  };
}
