import { z } from "zod";
import { canonicalAddress, sortedUnique } from "./address.ts";

/** Parts that several events share. */

export const text = z.string().min(1);
export const count = z.int().nonnegative();
/** A duration in milliseconds, fractions allowed. */
export const milliseconds = z.number().nonnegative();

export const address = z.string().transform((value, context) => {
  const canonical = canonicalAddress(value);
  if (canonical !== undefined) return canonical;
  context.addIssue({ code: "custom", message: `not an IP address: ${JSON.stringify(value)}` });
  return z.NEVER;
});

/** Addresses of both families, made canonical, sorted and unique on the way in. */
export const addresses = z.array(address).transform((list) => sortedUnique(list));

export const phrases = z.array(text);

/** Six hex pairs with colons; made lower case on the way in. */
export const mac = z
  .string()
  .regex(/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/, "not an Ethernet address")
  .transform((value) => value.toLowerCase());

export const labels = z.record(z.string(), z.string());

/** RFC 3339, as Kubernetes writes `creationTimestamp`. */
export const timestamp = z.iso.datetime({ offset: true });
