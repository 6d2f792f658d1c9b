/** System calls by which a backend changes BPF maps, links and pins, as strace(1) prints them: they count when they are made, whatever becomes of them. */
const CALLS = [
  /bpf\(BPF_(MAP_UPDATE_ELEM|MAP_DELETE_ELEM|MAP_CREATE|LINK_CREATE|LINK_UPDATE|OBJ_PIN|PROG_LOAD)\b/,
  /\b(unlink|symlink|rename)(at)?\(/,
];

/** Programs started with something to restore, carry out or delete. */
const PROGRAM =
  /execve\("[^"]*\/(ip|ipset|nft|ip6?tables\S*)", \[.*"(restore|-batch|-f|--noflush|add|del|delete|replace|change|set|flush|destroy)"/;

/**
 * Tells writes among the lines that `strace -f -o` writes. A program is looked for along PATH, by an execve that fails wherever it is not: only the one
 * that succeeds is a write, which strace tells in the same line or, when another thread came between, in a later one of the same process.
 */
export class WriteLines {
  readonly #unfinished = new Map<string, string>();

  /** The write that this line tells of. */
  take(line: string): string | undefined {
    const [, pid = "", call = ""] = /^(?:(\d+) +)?(.*)$/.exec(line) ?? [];
    if (CALLS.some((write) => write.test(call))) return call;
    if (PROGRAM.test(call)) {
      if (call.endsWith("<unfinished ...>")) this.#unfinished.set(pid, call);
      return / = 0$/.test(call) ? call : undefined;
    }
    if (!call.startsWith("<... execve resumed>")) return undefined;
    const started = this.#unfinished.get(pid);
    this.#unfinished.delete(pid);
    return / = 0$/.test(call) ? started : undefined;
  }
}
