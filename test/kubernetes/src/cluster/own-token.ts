import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";

/** The claims of a token, not verified. */
export function claimsOf(token: string): Record<string, unknown> {
  const [, claims = ""] = token.split(".");
  return JSON.parse(Buffer.from(claims, "base64url").toString()) as Record<string, unknown>;
}

/**
 * The same token with other claims, signed by the API server's own key: TokenRequest gives none for less than ten minutes (kubernetes
 * `pkg/apis/authentication/validation`), and nobody wants to wait that long for one to expire.
 */
export function reissue(token: string, claims: Readonly<Record<string, unknown>>, keyFile: string): string {
  const [header] = token.split(".");
  const body = Buffer.from(JSON.stringify({ ...claimsOf(token), ...claims })).toString("base64url");
  const signature = sign("RSA-SHA256", Buffer.from(`${header}.${body}`), createPrivateKey(readFileSync(keyFile)));
  return `${header}.${body}.${signature.toString("base64url")}`;
}
