import { CNI_CODES, type CniReply, type CoreError } from "@millrace/core/internal";
import { ZodError } from "zod";
import type { WatcherError } from "../errors.ts";

/** Codes that only the socket itself gives; the others are {@link CNI_CODES}. Millrace's own begin at 100. */
export const SOCKET_CODES = {
  /** The peer is not root. */
  notPermitted: 403,
} as const;

export const ok: CniReply = { ok: true };

export function refuse(code: number, message: string, details = ""): CniReply {
  return { ok: false, code, message, details };
}

/**
 * What a request that cannot be decoded is answered: 6 when it is no JSON, 7 when the fault is in `prevResult` (the network
 * configuration of the CNI specification), 4 when it is in anything else (its parameters).
 */
export function refuseUndecodable(error: CoreError): CniReply {
  if (!(error.cause instanceof ZodError)) return refuse(CNI_CODES.decodeFailure, error.message);
  const inPrevResult = error.cause.issues.every(({ path }) => path[0] === "prevResult");
  return refuse(inPrevResult ? CNI_CODES.invalidConfiguration : CNI_CODES.invalidParameters, error.message);
}

/** What an interface that cannot be used is answered. */
export function refuseInterface(error: WatcherError): CniReply {
  const unsupported = error.code === "ERR_NOT_VETH" || error.code === "ERR_PEER_ELSEWHERE";
  return refuse(unsupported ? CNI_CODES.redirectionFailed : CNI_CODES.invalidParameters, error.message, error.code);
}
