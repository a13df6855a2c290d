// Passkeys (WebAuthn Level 3): a form with data-passkey asks the server for options,
// has the browser make or use a passkey, and is then sent with its answer.
// The form is an ordinary one: what comes of it is a page.

/** Base64url without padding, as the server reads and writes bytes. */
function encode(bytes: ArrayBuffer): string {
  const text = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function decode(text: string): Uint8Array<ArrayBuffer> {
  const raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(raw, (c) => c.charCodeAt(0));
}

interface Named {
  id: string;
  type: "public-key";
  transports?: AuthenticatorTransport[];
}

const named = (list: Named[] | undefined): PublicKeyCredentialDescriptor[] =>
  (list ?? []).map((c) => ({ ...c, id: decode(c.id) }));

/* eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON of the server */
type Options = any;

async function create(options: Options): Promise<unknown> {
  const o = options.publicKey;
  const made = (await navigator.credentials.create({
    publicKey: {
      ...o,
      challenge: decode(o.challenge),
      user: { ...o.user, id: decode(o.user.id) },
      excludeCredentials: named(o.excludeCredentials),
    },
  })) as PublicKeyCredential;
  const response = made.response as AuthenticatorAttestationResponse;
  return {
    id: made.id,
    rawId: encode(made.rawId),
    type: made.type,
    response: {
      clientDataJSON: encode(response.clientDataJSON),
      attestationObject: encode(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
    clientExtensionResults: made.getClientExtensionResults(),
  };
}

async function get(options: Options): Promise<unknown> {
  const o = options.publicKey;
  const used = (await navigator.credentials.get({
    publicKey: { ...o, challenge: decode(o.challenge), allowCredentials: named(o.allowCredentials) },
  })) as PublicKeyCredential;
  const response = used.response as AuthenticatorAssertionResponse;
  return {
    id: used.id,
    rawId: encode(used.rawId),
    type: used.type,
    response: {
      clientDataJSON: encode(response.clientDataJSON),
      authenticatorData: encode(response.authenticatorData),
      signature: encode(response.signature),
      userHandle: response.userHandle ? encode(response.userHandle) : null,
    },
    clientExtensionResults: used.getClientExtensionResults(),
  };
}

async function ask(form: HTMLFormElement): Promise<void> {
  const csrf = form.querySelector<HTMLInputElement>("input[name=_csrf]")?.value ?? "";
  const answer = await fetch(form.dataset["options"] ?? "", {
    method: "POST",
    headers: { "X-CSRF-Token": csrf, Accept: "application/json" },
  });
  if (!answer.ok) {
    throw new Error(`the options answered ${answer.status}`);
  }
  const options: Options = await answer.json();
  const credential = form.dataset["passkey"] === "create" ? await create(options) : await get(options);
  const field = form.querySelector<HTMLInputElement>("input[name=passkey]");
  if (field) {
    field.value = JSON.stringify(credential);
  }
}

for (const form of document.querySelectorAll<HTMLFormElement>("form[data-passkey]")) {
  const error = form.querySelector<HTMLElement>("[data-passkey-error]");
  let asking = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (asking) {
      return;
    }
    asking = true;
    if (error) {
      error.textContent = "";
    }
    const supported = "credentials" in navigator && "PublicKeyCredential" in window;
    (supported ? ask(form) : Promise.reject(new Error("no passkeys in this browser")))
      .then(() => HTMLFormElement.prototype.submit.call(form))
      .catch((reason: unknown) => {
        asking = false;
        const cancelled = reason instanceof DOMException && (reason.name === "NotAllowedError" || reason.name === "AbortError");
        if (error) {
          error.textContent = (cancelled ? form.dataset["cancelled"] : form.dataset["unable"]) ?? "";
        }
      });
  });
}
