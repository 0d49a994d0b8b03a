// A simulated team: what annotators answer who share a vague rule, and one who does not look.
import { Attribute, ATTRIBUTES, Truth } from './truth';

/** One vote. */
export interface Vote {
  image: string;
  annotator: string;
  attribute: Attribute;
  answer: string;
}

/** The vague rule: where one value ends and the other begins, nobody has written down. */
export const VAGUE = { attribute: 'coat' as Attribute, a: 'fluffy', b: 'long' };
/** Answers without looking. */
export const SPAMMER = 'max';
/** Two draw the line of the vague rule early, two late. */
const LEANS: Record<string, string> = { ada: 'long', bea: 'long', cyd: 'fluffy', dan: 'fluffy' };
const TEAM = [...Object.keys(LEANS), SPAMMER];
/** How often somebody's lean decides between the two values. */
const LEANING = 0.55;
/** How often somebody slips. */
const SLIP = 0.04;

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The votes of `each` annotators on every photo, in turn. */
export function simulate(truth: Truth, images: string[], each: number, seed: number): Vote[] {
  const next = random(seed);
  const any = (attribute: Attribute) => truth.values[attribute][Math.floor(next() * truth.values[attribute].length)];
  const say = (annotator: string, image: string, attribute: Attribute): string => {
    const right = truth.answer(image, attribute);
    if (annotator === SPAMMER) return any(attribute);
    if (attribute === VAGUE.attribute && (right === VAGUE.a || right === VAGUE.b)) {
      return next() < LEANING ? LEANS[annotator] : right;
    }
    return next() < SLIP ? any(attribute) : right;
  };
  return images.flatMap((image, place) => {
    // Who meets whom changes with every round of the team.
    const step = 1 + (Math.floor(place / TEAM.length) % (TEAM.length - 1));
    const annotators = Array.from({ length: each }, (_, nth) => TEAM[(place + nth * step) % TEAM.length]);
    return annotators.flatMap((annotator) =>
      ATTRIBUTES.map((attribute) => ({ image, annotator, attribute, answer: say(annotator, image, attribute) })),
    );
  });
}

/** As `kenami labels import` reads it. */
export const labelsCsv = (votes: Vote[]) =>
  table('image,annotator,attribute,answer', votes.map((vote) => [vote.image, vote.annotator, vote.attribute, vote.answer]));

/** As `kenami consensus` and `kenami agreement` read it. */
export const votesCsv = (votes: Vote[]) => labelsCsv(votes).replace('image,', 'item,');

const table = (head: string, rows: string[][]) => [head, ...rows.map((row) => row.join(','))].join('\n') + '\n';
