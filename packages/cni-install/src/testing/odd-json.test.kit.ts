import fc from "fast-check";

/** White space as people and templates leave it. */
const space = fc.array(fc.constantFrom(" ", "\t", "\n", "\r\n"), { maxLength: 3 }).map((parts) => parts.join(""));

/** Literals whose form a re-serialised file would not have any more. */
const literal = fc.constantFrom(
  ...["0", "-0", "1.0", "1e3", "1E+2", "12345678901234567890", "0.10", "true", "false", "null"],
  ...['""', '"\\u0041"', '"a\\/b"', '"\\ud83d\\ude00"', '"[{,}]"', '"millrace"', '"\\"type\\": \\"millrace\\""'],
  // bytes above 0x7f, one character each: valid UTF-8, and a lone byte that is none
  ...['"\u00c3\u00a9"', '"\u00ff"', '"\u0085\u00a0"'],
);

const key = fc.integer({ min: 0, max: 9 }).map((number) => `"x-${number}"`); // now and then twice in one object

function sequence(open: string, close: string, items: fc.Arbitrary<readonly string[]>): fc.Arbitrary<string> {
  return fc.tuple(items, fc.array(fc.tuple(space, space), { minLength: 16, maxLength: 16 })).map(([parts, spaces]) => {
    const spaced = parts.map((part, index) => (spaces[index % 16] as [string, string]).join(part));
    return open + (spaced.join(",") || (spaces[0]?.[0] ?? "")) + close;
  });
}

const pair = (name: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(name, space, space, value).map(([left, before, after, right]) => `${left}${before}:${after}${right}`);

const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2, depthSize: "small" },
    literal,
    sequence("[", "]", fc.array(tie("value"), { maxLength: 3 })),
    sequence("{", "}", fc.array(pair(key, tie("value")), { maxLength: 3 })),
  ),
}));

/** A member that must be there, somewhere between others. */
function objectWith(...members: fc.Arbitrary<string>[]): fc.Arbitrary<string> {
  const all = fc
    .tuple(fc.tuple(...members), fc.array(pair(key, value), { maxLength: 4 }))
    .chain(([needed, others]) =>
      fc.shuffledSubarray([...needed, ...others], { minLength: needed.length + others.length }),
    );
  return sequence("{", "}", all);
}

const constant = (name: string, text: string) => pair(fc.constant(`"${name}"`), fc.constant(text));

export const oddPlugin = (type: string): fc.Arbitrary<string> => objectWith(constant("type", `"${type}"`));

/** A list of these plugins, one character per byte, in any formatting. */
export const oddList = (plugins: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> => {
  const array = sequence("[", "]", fc.tuple(...plugins));
  const list = objectWith(
    constant("name", '"n"'),
    constant("cniVersion", '"0.4.0"'),
    pair(fc.constantFrom('"plugins"', '"plug\\u0069ns"'), array),
  );
  return fc.tuple(space, list, space).map((parts) => parts.join(""));
};

export const oddSingle: fc.Arbitrary<string> = fc
  .tuple(
    space,
    objectWith(constant("type", '"bridge"'), constant("name", '"n\\u0041"'), constant("cniVersion", '"1.0.0"')),
    space,
  )
  .map((parts) => parts.join(""));

/** Types of a primary's chain, of any length. */
export const chain: fc.Arbitrary<readonly string[]> = fc.array(
  fc.constantFrom("bridge", "portmap", "tuning", "bandwidth"),
  {
    minLength: 1,
    maxLength: 4,
  },
);
