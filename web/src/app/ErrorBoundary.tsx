import { Component } from "react";

import { currentTexts } from "../i18n/index.ts";
import { EmptyState } from "../ui/EmptyState.tsx";

/**
 * Shows a reload button after a crash. Drafts and the outbox are in the browser's database, so a reload loses
 * nothing.
 */
export class ErrorBoundary extends Component<{ children: React.ReactNode }, { crashed: boolean }> {
  override state = { crashed: false };

  static getDerivedStateFromError() {
    return { crashed: true };
  }

  override render() {
    if (!this.state.crashed) return this.props.children;
    const { errors } = currentTexts();
    return (
      <main className="gate" role="alert">
        <EmptyState drawing="lost" title={errors.crashed} text={errors.crashedText} level={1}>
          <button type="button" className="button primary" onClick={() => location.reload()}>
            {errors.reload}
          </button>
        </EmptyState>
      </main>
    );
  }
}
