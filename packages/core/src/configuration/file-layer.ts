import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { parseDocument } from "yaml";
import { CoreError, errorMessage } from "../errors.ts";
import { isLayer, type Layer } from "./layers.ts";

/** Far more than every setting written out; what is larger is some other file. */
const MAX_BYTES = 1024 * 1024;

/** Reads the configuration file. Throws ERR_CONFIG_UNREADABLE, and ERR_CONFIG_INVALID when it is no YAML mapping. */
export function fileLayer(path: string): Layer {
  const content = read(path);
  let value: unknown;
  try {
    value = parse(content);
    JSON.stringify(value); // an alias within its own anchor is a cycle, which nothing after this could walk
  } catch (cause) {
    throw new CoreError("ERR_CONFIG_INVALID", `${path} is not YAML: ${errorMessage(cause)}`, { cause });
  }
  if (isLayer(value)) return value;
  throw new CoreError("ERR_CONFIG_INVALID", `${path} must be a mapping of settings at its top level.`);
}

function read(path: string): string {
  try {
    // O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever (fifo(7)).
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) throw new Error("it is no regular file");
      if (stats.size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
      return readFileSync(fd, "utf8");
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw new CoreError("ERR_CONFIG_UNREADABLE", `${path}: ${errorMessage(cause)}`, { cause });
  }
}

/** Warnings count as errors: a tag that is not known makes a value of something else than was meant. */
function parse(content: string): unknown {
  const document = parseDocument(content);
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw problem;
  return document.toJS() ?? {};
}
