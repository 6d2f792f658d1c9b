import { expect, test } from "vitest";
import { plugin } from "./support/plugin.ts";

/** VERSION reads stdin as JSON and cares for nothing else in it: 0 is JSON, 1 with code 6 is not. */
async function isJson(text: string): Promise<boolean> {
  const { exit, stdout } = await plugin("VERSION", text);
  expect([0, 1]).toContain(exit);
  if (exit === 1) expect(JSON.parse(stdout)).toMatchObject({ code: 6 });
  return exit === 0;
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** RFC 8259's grammar, and what readers that are less strict let by. */
const texts = [
  ..."0 -0 1 -1 10 01 -01 1. .1 1.0 1.01 1e1 1E1 1e+1 1e-1 1e 1e+ - + +1 0x1 1_0 NaN Infinity -Infinity 0e0 00 1.e1 12a".split(
    " ",
  ),
  ..."true false null True tru truee nul nulll undefined".split(" "),
  '""',
  '"',
  "'a'",
  '"a',
  '"\\"',
  '"\\\\"',
  '"\\a"',
  '"\\/"',
  '"\\u12"',
  '"\\u12g4"',
  '"\\u1234"',
  '"\\ud800"',
  '"\\ud83c\\udf0a"',
  '"\\u0000"',
  '"\t"',
  '"\n"',
  '"\u007f"',
  "[]",
  "[",
  "]",
  "[1]",
  "[1,]",
  "[,1]",
  "[1 2]",
  "[1,,2]",
  "[1,2",
  "[[]]",
  "[[]",
  "[}",
  "{}",
  "{",
  '{"a"}',
  '{"a":}',
  '{"a":1}',
  '{"a":1,}',
  '{"a" 1}',
  "{1:1}",
  "{a:1}",
  '{"a":1 "b":2}',
  '{"a":1,"a":2}',
  '{"a":{}}',
  '{"a":1]',
  '{"":""}',
  " 1 ",
  "\u00a01",
  "\v1",
  "1 1",
  "// c\n1",
  "/* c */1",
  '{"a":1}x',
];

test.each(texts.map((text) => [text]))("%j is JSON where JSON.parse says so", async (text) => {
  // An object, since VERSION looks for its cniVersion there.
  expect(await isJson(text)).toBe(parses(text));
});

/** A generator of numbers from 0 to n - 1 that is the same in every run: Park and Miller's. */
function numbers(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state * 48271) % 2147483647;
    return state % n;
  };
}

test("a thousand texts that are almost JSON are judged as JSON.parse does", async () => {
  const below = numbers(7);
  const base = '{"cniVersion":"1.1.0","a":[1,-2.5e3,true,null,"x\\n\\u00e9"],"b":{"c":{}}}';
  const letters = '{}[]",:\\ 0123.-+eEtrufalsn\tux';
  const mutate = (text: string): string => {
    const at = below(text.length);
    const letter = letters[below(letters.length)] ?? "";
    const kinds = [
      text.slice(0, at) + text.slice(at + 1),
      text.slice(0, at) + letter + text.slice(at),
      text.slice(0, at) + letter + text.slice(at + 1),
    ];
    return kinds[below(3)] ?? text;
  };
  let judgedJson = 0;
  for (let i = 0; i < 1000; i++) {
    let text = base;
    for (let edits = 1 + below(3); edits > 0; edits--) text = mutate(text);
    // A cniVersion that is no text is refused with the same code.
    if (/"cniVersion"\s*:\s*[^"\s]/.test(text)) continue;
    const json = parses(text);
    expect([text, await isJson(text)]).toEqual([text, json]);
    judgedJson += json ? 1 : 0;
  }
  expect(judgedJson).toBeGreaterThan(50);
});
