import { type Node, type ParseError, parseTree } from "jsonc-parser";
import type { ByteText } from "./text.ts";

/** An object's member by name; of several with one name the last, as JSON.parse and Go's encoding/json have it. */
export function member(object: Node, name: string): Node | undefined {
  const property = object.children?.findLast(({ children }) => children?.[0]?.value === name);
  return property?.children?.[1];
}

export const endOf = ({ offset, length }: Node): number => offset + length;
export const sliceOf = (text: ByteText, node: Node): ByteText => text.slice(node.offset, endOf(node));

/**
 * Where everything is in a JSON text: undefined unless it is JSON and an object. jsonc-parser is what editors use for this: it tells
 * the offset of each value, so that one of them can be edited and every other byte stays.
 */
export function parseObject(text: ByteText): Node | undefined {
  const errors: ParseError[] = [];
  const options = { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false };
  const root = parseTree(text, errors, options);
  return errors.length === 0 && root?.type === "object" ? root : undefined;
}

/** The array of a list's plugins. Undefined when the text is no such list. */
export function pluginsOf(text: ByteText): Node | undefined {
  const root = parseObject(text);
  const plugins = root && member(root, "plugins");
  return plugins?.type === "array" ? plugins : undefined;
}
