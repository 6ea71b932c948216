// Theme, language and direction before anything is painted. A file of its own because the page's policy forbids inline script.
(() => {
  const html = document.documentElement;
  const stored = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage is blocked: the system's preferences hold
    }
  };
  const scheme = stored("insula.scheme") ?? "auto";
  const dark = scheme === "dark" || (scheme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  html.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
  const language = stored("insula.language") ?? (navigator.language || "en").slice(0, 2);
  html.lang = language === "ar" ? "ar" : "en";
  html.dir = language === "ar" ? "rtl" : "ltr";
})();
