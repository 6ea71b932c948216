import "i18next";
import type common from "./en/common.json";
import type overview from "./en/overview.json";
import type shell from "./en/shell.json";
import type signIn from "./en/signIn.json";

// One line for each namespace: it makes every key a type, so that a wrong one does not compile.
declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "common";
    resources: {
      common: typeof common;
      overview: typeof overview;
      shell: typeof shell;
      signIn: typeof signIn;
    };
  }
}
