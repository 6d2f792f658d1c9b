import { z } from "zod";
import { CoreError } from "../errors.ts";

/** Longest request or reply on the CNI socket, in bytes, line feed included. */
export const CNI_MAX_LINE = 1024 * 1024;

/**
 * Error codes of a reply. 1-99 are the CNI specification's ("Error", https://www.cni.dev/docs/spec/#error), 100 and up are Millrace's.
 */
export const CNI_CODES = {
  /** Invalid necessary environment variables: a parameter of the call is missing or wrong. */
  invalidParameters: 4,
  /** I/O failure, for instance the agent's socket cannot be reached. */
  ioFailure: 5,
  /** Failed to decode content. */
  decodeFailure: 6,
  /** Invalid network configuration. */
  invalidConfiguration: 7,
  /** Try again later: the agent is not ready, or the deadline has passed. */
  tryAgainLater: 11,
  /** STATUS: the plugin is not available, ADD would fail (CNI 1.1). */
  unavailable: 50,
  /** The backend could not redirect the workload. */
  redirectionFailed: 100,
  /** CHECK: the redirection is not as it should be. */
  redirectionDrifted: 101,
  /** The agent failed in a way it did not foresee. */
  internal: 102,
} as const;

const text = z.string().min(1);

/** The `interfaces` and `ips` of a CNI result (spec 0.3.1 to 1.1); everything else in it is left alone. */
export const cniResult = z.looseObject({
  cniVersion: z.string().optional(),
  interfaces: z
    .array(z.looseObject({ name: text, mac: z.string().optional(), sandbox: z.string().optional() }))
    .optional(),
  ips: z.array(z.looseObject({ address: text, interface: z.int().optional() })).optional(),
});
export type CniResult = z.output<typeof cniResult>;

const pod = z.strictObject({ namespace: text, name: text, uid: text });
const version = z.literal(1);
const attachment = { version, containerId: text, ifName: text, pod };

/** One request: one line of JSON per connection. */
export const cniRequest = z.discriminatedUnion("command", [
  z.strictObject({ ...attachment, command: z.literal("ADD"), netns: text, prevResult: cniResult }),
  // The runtime may have lost the namespace already (spec, DEL: "CNI_NETNS may not be provided").
  z.strictObject({
    ...attachment,
    command: z.literal("DEL"),
    netns: z.string().optional(),
    prevResult: cniResult.optional(),
  }),
  z.strictObject({ ...attachment, command: z.literal("CHECK"), netns: text, prevResult: cniResult }),
  // All attachments of one network that the runtime still has (spec, GC: "cni.dev/valid-attachments").
  z.strictObject({
    version,
    command: z.literal("GC"),
    validAttachments: z.array(z.strictObject({ containerId: text, ifName: text })),
  }),
  z.strictObject({
    version,
    command: z.literal("STATUS"),
    containerId: z.string().optional(),
    netns: z.string().optional(),
    ifName: z.string().optional(),
    pod: z.strictObject({ namespace: z.string(), name: z.string(), uid: z.string() }).optional(),
    prevResult: cniResult.optional(),
  }),
]);
export type CniRequest = z.output<typeof cniRequest>;
export type CniCommand = CniRequest["command"];

export const cniReply = z.discriminatedUnion("ok", [
  z.strictObject({ ok: z.literal(true) }),
  z.strictObject({ ok: z.literal(false), code: z.int().positive(), message: text, details: z.string() }),
]);
export type CniReply = z.output<typeof cniReply>;

/** Decodes a request line. Throws ERR_CNI_REQUEST_INVALID; reply with {@link CNI_CODES}.decodeFailure. */
export function parseCniRequest(line: string): CniRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new CoreError("ERR_CNI_REQUEST_INVALID", "the request is not one line of JSON", { cause });
  }
  const result = cniRequest.safeParse(value);
  if (result.success) return result.data;
  throw new CoreError("ERR_CNI_REQUEST_INVALID", `the request is not valid: ${z.prettifyError(result.error)}`, {
    cause: result.error,
  });
}

/** Encodes a reply as the line that goes over the socket. */
export function formatCniReply(reply: CniReply): string {
  return `${JSON.stringify(reply)}\n`;
}
