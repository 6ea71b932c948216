// Another tab has gone over to another tenant, and this one is loaded anew: what happened is told after that.
const key = "insula.switched";

export function noteSwitch() {
  try {
    sessionStorage.setItem(key, "1");
  } catch {
    // Without storage the page is right all the same, it only does not say why.
  }
}

/** Whether this load is because of a switch elsewhere; asked once. */
export function takeSwitch(): boolean {
  try {
    const noted = sessionStorage.getItem(key) !== null;
    sessionStorage.removeItem(key);
    return noted;
  } catch {
    return false;
  }
}
