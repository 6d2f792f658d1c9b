/** What the verifier says of a program that it let pass: print_verification_stats() in kernel/bpf/verifier.c. */
export interface VerifierStatistics {
  /** Instructions that it has walked through, and how many it would have. */
  readonly instructions: number;
  readonly limit: number;
  readonly peakStates: number;
  /** Bytes of stack, of the program and of each of its functions. */
  readonly stackDepths: readonly number[];
}

/** As libbpf prints it: bpf_object_load_prog() in src/libbpf.c. */
const LOG = /prog '([^']+)': -- BEGIN PROG LOAD LOG --\n([\s\S]*?)-- END PROG LOAD LOG --/g;

/** By program. One of which the kernel says it in other words is not among them. */
export function parseVerifierStatistics(log: string): ReadonlyMap<string, VerifierStatistics> {
  const programs = [...log.matchAll(LOG)].map(([, name = "", text = ""]) => [name, parseOne(text)] as const);
  return new Map(programs.filter((entry): entry is [string, VerifierStatistics] => entry[1] !== undefined));
}

function parseOne(text: string): VerifierStatistics | undefined {
  const processed = /^processed (\d+) insns \(limit (\d+)\).*?peak_states (\d+)/m.exec(text);
  if (processed === null) return undefined;
  const [instructions = 0, limit = 0, peakStates = 0] = processed.slice(1).map(Number);
  const depths = /^stack depth ([\d+]+)/m.exec(text)?.[1];
  return { instructions, limit, peakStates, stackDepths: depths?.split("+").map(Number) ?? [] };
}
