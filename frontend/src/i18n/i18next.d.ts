import "i18next";
import type apiKeys from "./en/apiKeys.json";
import type assistants from "./en/assistants.json";
import type audit from "./en/audit.json";
import type common from "./en/common.json";
import type overview from "./en/overview.json";
import type playground from "./en/playground.json";
import type requests from "./en/requests.json";
import type searchAnalytics from "./en/searchAnalytics.json";
import type shell from "./en/shell.json";
import type signIn from "./en/signIn.json";
import type stores from "./en/stores.json";
import type usage from "./en/usage.json";
import type webhooks from "./en/webhooks.json";

// One line for each namespace: it makes every key a type, so that a wrong one does not compile.
declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "common";
    resources: {
      apiKeys: typeof apiKeys;
      assistants: typeof assistants;
      audit: typeof audit;
      common: typeof common;
      overview: typeof overview;
      playground: typeof playground;
      requests: typeof requests;
      searchAnalytics: typeof searchAnalytics;
      shell: typeof shell;
      signIn: typeof signIn;
      stores: typeof stores;
      usage: typeof usage;
      webhooks: typeof webhooks;
    };
  }
}
