const BEGIN = "-- BEGIN PROG LOAD LOG --";
const END = "-- END PROG LOAD LOG --";
const KERNEL = "libbpf: Kernel error message: ";

/** Lines that the verifier prints after its verdict (print_verification_stats() in kernel/bpf/verifier.c). */
const STATISTICS = /^(processed \d+ insns|verification time|stack depth|mark_read|insns processed|peak_states)/;

/**
 * The one line of a libbpf log that says why: the verifier's last sentence, else what the kernel answered over netlink, else
 * libbpf's first line. Empty for an empty log.
 */
export function summarise(log: string): string {
  return verifierVerdict(log) ?? kernelMessage(log) ?? firstLine(log);
}

function verifierVerdict(log: string): string | undefined {
  const begin = log.lastIndexOf(BEGIN);
  if (begin < 0) return undefined;
  const end = log.indexOf(END, begin);
  const text = log.slice(begin + BEGIN.length, end < 0 ? undefined : end);
  return text
    .split("\n")
    .map((line) => line.trim())
    .findLast((line) => line !== "" && !STATISTICS.test(line));
}

function kernelMessage(log: string): string | undefined {
  const start = log.lastIndexOf(KERNEL);
  return start < 0 ? undefined : firstLine(log.slice(start + KERNEL.length));
}

function firstLine(log: string): string {
  return (log.trim().split("\n", 1)[0] ?? "").replace(/^libbpf: /, "").trim();
}
