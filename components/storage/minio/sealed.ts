import { createCipheriv, pbkdf2Sync, randomBytes } from "node:crypto";

/** Marks a key from PBKDF2 and AES-256 in GCM. */
const PBKDF2_AES_GCM = 2;
const ROUNDS = 8192;
/** Longer texts are sent in several such pieces; ours never are. */
const PIECE = 16_384;
const [MORE, LAST] = [0x00, 0x80];

/**
 * Encrypts the body of an admin request the way MinIO asks for (madmin-go, `EncryptData`): salt, algorithm, nonce, and a stream of
 * one piece. Before it a piece of nothing is sealed, whose tag goes into what the others authenticate.
 *
 * @param secretKey of who signs the request
 */
export function seal(secretKey: string, text: string): Buffer {
  const data = Buffer.from(text);
  if (data.length > PIECE) throw new Error(`an admin request of ${data.length} bytes is more than ${PIECE}`);
  const salt = randomBytes(32);
  const nonce = randomBytes(8);
  const key = pbkdf2Sync(secretKey, salt, ROUNDS, 32, "sha256");
  const piece = (number: number, authenticated: Buffer, plain: Buffer) => {
    const counter = Buffer.alloc(4);
    counter.writeUInt32LE(number);
    const cipher = createCipheriv("aes-256-gcm", key, Buffer.concat([nonce, counter])).setAAD(authenticated);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  };
  const tag = piece(MORE, Buffer.alloc(0), Buffer.alloc(0));
  const sealed = piece(1, Buffer.concat([Buffer.of(LAST), tag]), data);
  return Buffer.concat([salt, Buffer.of(PBKDF2_AES_GCM), nonce, sealed]);
}
