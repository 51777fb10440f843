import { lazy, Suspense, useEffect } from "react";
import { Redirect, Route, Switch, useLocation } from "wouter";

import { useTexts } from "../i18n/index.ts";
import { Overlays } from "../views/Overlays.tsx";
import { Shell } from "../views/Shell.tsx";
import { ShellSkeleton } from "../views/ShellSkeleton.tsx";
import { useClient, useClientState } from "./client.ts";
import { useAlerts } from "./alerts.ts";
import { useNotices } from "./notices.ts";

const SignIn = lazy(() => import("../views/auth/SignIn.tsx"));
const SignUp = lazy(() => import("../views/auth/SignUp.tsx"));
const OpsPage = lazy(() => import("../views/ops/OpsPage.tsx"));

export function App() {
  const phase = useClientState((state) => state.phase);
  if (phase === "starting") return <ShellSkeleton />;
  return phase === "ready" ? <SignedInRoutes /> : <SignedOutRoutes />;
}

function SignedOutRoutes() {
  const [path] = useLocation();
  const texts = useTexts();
  useEffect(() => {
    document.title = texts.appName;
  }, [texts]);
  return (
    <Suspense fallback={<div className="gate" />}>
      <Switch>
        <Route path="/signup" component={SignUp} />
        <Route path="/signin" component={SignIn} />
        <Route>
          <Redirect to="/signin" replace state={{ wanted: path + location.search }} />
        </Route>
      </Switch>
      <Overlays />
    </Suspense>
  );
}

function SignedInRoutes() {
  const client = useClient();
  const [, go] = useLocation();
  useAlerts(client, go);
  useNotices(client);
  return (
    <>
      <Switch>
        <Route path="/signin" component={AfterSignIn} />
        <Route path="/signup" component={AfterSignIn} />
        <Route path="/ops">
          <Suspense fallback={<main className="page" />}>
            <OpsPage />
          </Suspense>
        </Route>
        <Route component={Shell} />
      </Switch>
      <Overlays />
    </>
  );
}

/** Redirect to the page that was requested before the user signed in. */
function AfterSignIn() {
  const state: unknown = history.state;
  const wanted =
    typeof state === "object" && state !== null && "wanted" in state && typeof state.wanted === "string"
      ? state.wanted
      : "/";
  return <Redirect to={wanted} replace />;
}
