import "i18next";
import type access from "./en/access.json";
import type account from "./en/account.json";
import type apiKeys from "./en/apiKeys.json";
import type assistants from "./en/assistants.json";
import type audit from "./en/audit.json";
import type budgets from "./en/budgets.json";
import type common from "./en/common.json";
import type console from "./en/console.json";
import type data from "./en/data.json";
import type erasures from "./en/erasures.json";
import type guardrails from "./en/guardrails.json";
import type health from "./en/health.json";
import type limits from "./en/limits.json";
import type members from "./en/members.json";
import type models from "./en/models.json";
import type operatorAudit from "./en/operatorAudit.json";
import type operatorJobs from "./en/operatorJobs.json";
import type operatorKeys from "./en/operatorKeys.json";
import type overview from "./en/overview.json";
import type people from "./en/people.json";
import type plans from "./en/plans.json";
import type playground from "./en/playground.json";
import type providerKeys from "./en/providerKeys.json";
import type requests from "./en/requests.json";
import type revenue from "./en/revenue.json";
import type routes from "./en/routes.json";
import type searchAnalytics from "./en/searchAnalytics.json";
import type settings from "./en/settings.json";
import type shell from "./en/shell.json";
import type signIn from "./en/signIn.json";
import type stores from "./en/stores.json";
import type tenants from "./en/tenants.json";
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
      access: typeof access;
      account: typeof account;
      erasures: typeof erasures;
      members: typeof members;
      console: typeof console;
      budgets: typeof budgets;
      settings: typeof settings;
      providerKeys: typeof providerKeys;
      data: typeof data;
      guardrails: typeof guardrails;
      limits: typeof limits;
      tenants: typeof tenants;
      people: typeof people;
      revenue: typeof revenue;
      plans: typeof plans;
      routes: typeof routes;
      health: typeof health;
      operatorJobs: typeof operatorJobs;
      operatorKeys: typeof operatorKeys;
      operatorAudit: typeof operatorAudit;
      models: typeof models;
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
