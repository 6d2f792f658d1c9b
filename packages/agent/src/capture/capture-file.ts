import { type FileHandle, open } from "node:fs/promises";
import type { Output } from "../cli/output.ts";
import { AgentError } from "../errors.ts";

/** Where a capture goes. */
export interface CaptureFile extends AsyncDisposable {
  /** For messages. */
  readonly name: string;
  /** Waits while the reader is slower. */
  write(bytes: Uint8Array): Promise<void>;
}

const REASONS: Readonly<Record<string, string>> = {
  EEXIST: "it is there already, and is not overwritten",
  ENOENT: "its directory is not there",
  ENOTDIR: "its directory is a file",
  EACCES: "its directory may not be written to",
  EROFS: "its file system is read-only",
};

/**
 * A new file, for its owner alone: it has what people said to each other; `-` is the standard output. Throws `ERR_CAPTURE_FILE`.
 */
export async function openCaptureFile(path: string, out: Output): Promise<CaptureFile> {
  if (path === "-") {
    if (out.isTerminal) {
      throw new AgentError("ERR_CAPTURE_FILE", "a capture is nothing for a terminal, which standard output is");
    }
    const nothing = async () => undefined;
    return { name: "standard output", write: (bytes) => out.write(bytes), [Symbol.asyncDispose]: nothing };
  }
  const file = await create(path);
  const write = async (bytes: Uint8Array) => {
    await file.writeFile(bytes);
  };
  return { name: path, write, [Symbol.asyncDispose]: () => file.close() };
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, "wx", 0o600);
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new AgentError("ERR_CAPTURE_FILE", `${path} cannot be made: ${REASONS[code] ?? message}`, { cause: error });
  }
}
