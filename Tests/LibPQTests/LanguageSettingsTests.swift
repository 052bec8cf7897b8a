import Testing

struct LanguageSettingsTests {
    /// A misspelt feature is accepted in silence, and this one changes where closures run.
    @Test func `the language features of the manifest are on`() {
        #if !hasFeature(NonisolatedNonsendingByDefault)
        Issue.record("NonisolatedNonsendingByDefault is off")
        #endif
        #if !hasFeature(InferIsolatedConformances)
        Issue.record("InferIsolatedConformances is off")
        #endif
    }
}
