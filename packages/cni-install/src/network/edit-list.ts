import { isDeepStrictEqual } from "node:util";
import type { Node } from "jsonc-parser";
import { PLUGIN_TYPE, type PluginEntry } from "../entry.ts";
import { endOf, member, parseObject, pluginsOf, sliceOf } from "./parse.ts";
import { standsWell } from "./position.ts";
import { asWritten, type ByteText } from "./text.ts";

const typeOf = (plugin: Node): unknown => (plugin.type === "object" ? member(plugin, "type")?.value : undefined);
const isOurs = (plugin: Node): boolean => typeOf(plugin) === PLUGIN_TYPE;

/** Whether a list has our entry, in whatever state. */
export function hasEntry(list: ByteText): boolean {
  return pluginsOf(list)?.children?.some(isOurs) === true;
}

/**
 * The list with exactly this entry of ours in it. The text itself when it is there already and stands where it may; else any old entry
 * goes and this one is appended, set like the plugin before it. Every other byte stays: {@link withoutEntry} is the exact inverse.
 */
export function withEntry(list: ByteText, entry: PluginEntry): ByteText {
  const plugins = pluginsOf(list)?.children ?? [];
  const ours = plugins.filter(isOurs);
  const [first] = ours;
  if (first !== undefined && ours.length === 1 && isWanted(list, first, entry)) {
    const types = plugins.map((plugin) => String(typeOf(plugin)));
    if (standsWell(types, plugins.indexOf(first))) return list;
  }
  return appended(withoutEntry(list), entry);
}

function isWanted(list: ByteText, node: Node, entry: PluginEntry): boolean {
  return isDeepStrictEqual(JSON.parse(Buffer.from(sliceOf(list, node), "latin1").toString("utf8")), toJson(entry));
}

const toJson = (entry: PluginEntry): unknown => JSON.parse(JSON.stringify(entry));

/** The list without any entry of ours, and otherwise the same bytes. */
export function withoutEntry(list: ByteText): ByteText {
  const plugins = pluginsOf(list)?.children ?? [];
  let text = list;
  for (let index = plugins.length - 1; index >= 0; index -= 1) {
    const node = plugins[index] as Node;
    if (!isOurs(node)) continue;
    const before = plugins.slice(0, index).findLast((plugin) => !isOurs(plugin));
    const after = plugins[index + 1];
    // With what separates it from the plugin before it; where there is none, from the one behind it.
    const from = before === undefined ? node.offset : endOf(plugins[index - 1] as Node);
    const to = before === undefined && after !== undefined ? after.offset : endOf(node);
    text = text.slice(0, from) + text.slice(to);
  }
  return text;
}

function appended(list: ByteText, entry: PluginEntry): ByteText {
  const array = pluginsOf(list);
  const last = array?.children?.at(-1);
  if (array === undefined || last === undefined)
    throw new TypeError("a list without plugins has no place for an entry");
  const before = array.children?.at(-2);
  const separator =
    before === undefined ? `,${list.slice(array.offset + 1, last.offset)}` : list.slice(endOf(before), last.offset);
  const end = endOf(last);
  return list.slice(0, end) + separator + setLike(last, list, entry) + list.slice(end);
}

/** The entry as text that looks like its neighbour: on one line or several, with its indentation and line ends. */
function setLike(neighbour: Node, list: ByteText, entry: PluginEntry): ByteText {
  const text = sliceOf(list, neighbour);
  if (!/[\r\n]/.test(text)) return asWritten(JSON.stringify(entry));
  const outer = indentation(list, neighbour.offset);
  const firstMember = neighbour.children?.[0]?.offset ?? neighbour.offset;
  const inner = indentation(list, firstMember);
  const unit = inner.startsWith(outer) && inner.length > outer.length ? inner.slice(outer.length) : "  ";
  const lineEnd = text.includes("\r\n") ? "\r\n" : "\n";
  return asWritten(JSON.stringify(entry, undefined, unit)).replaceAll("\n", lineEnd + outer);
}

/** White space at the beginning of the line that an offset is in. */
function indentation(text: ByteText, offset: number): string {
  const line = Math.max(text.lastIndexOf("\n", offset - 1), text.lastIndexOf("\r", offset - 1)) + 1;
  return /^[ \t]*/.exec(text.slice(line, offset))?.[0] ?? "";
}

/**
 * A single plugin's file as the list of one that libcni makes of it (libcni/conf.go, ConfListFromConf()): name and cniVersion are the
 * plugin's own, and the plugin keeps its text, further indented. White space inside JSON strings cannot be meant: they hold no line ends.
 */
export function listOfOne(single: ByteText): ByteText {
  const root = parseObject(single);
  if (root === undefined) throw new TypeError("no JSON object");
  const raw = (name: string): ByteText => {
    const node = member(root, name);
    return node?.type === "string" ? sliceOf(single, node) : '""';
  };
  const lineEnd = single.includes("\r\n") ? "\r\n" : "\n";
  const plugin = sliceOf(single, root).replaceAll(/\r\n|\n/g, `${lineEnd}    `);
  const lines = [
    "{",
    `  "cniVersion": ${raw("cniVersion")},`,
    `  "name": ${raw("name")},`,
    '  "plugins": [',
    `    ${plugin}`,
    "  ]",
    "}",
    "",
  ];
  return lines.join(lineEnd);
}
