// Why a page was loaded anew is told after the load: another tab has gone over to another tenant, or an access has ended.
const key = "insula.switched";

/** The tenant that is open by break-glass, and is left without anybody switching. */
let visited: string | null = null;

export function noteVisit(name: string | null) {
  visited = name;
}

export function noteSwitch() {
  try {
    sessionStorage.setItem(key, JSON.stringify({ left: visited }));
  } catch {
    // Without storage the page is right all the same, it only does not say why.
  }
}

/** Whether this load is because of a switch, and which tenant is open no more; asked once. */
export function takeSwitch(): { left: string | null } | null {
  try {
    const noted = sessionStorage.getItem(key);
    sessionStorage.removeItem(key);
    return noted ? { left: JSON.parse(noted)?.left ?? null } : null;
  } catch {
    return null;
  }
}
