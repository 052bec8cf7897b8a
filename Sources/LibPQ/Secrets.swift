/// The passwords of a connection string, to keep them out of messages.
///
/// libpq does not print passwords, but it prints hosts and databases, and a password with an unescaped `@`
/// or `/` ends up there.
struct Secrets: Sendable {
    private let texts: [String]

    init(connectionString: String, options: [String: String]) {
        var texts = [options["password"], options["sslpassword"]].compactMap(\.self)
        texts += Self.partsOfPassword(inURI: connectionString)
        self.texts = texts.filter { !$0.isEmpty }.sorted { $0.count > $1.count }
    }

    func redacted(from message: String) -> String {
        texts.reduce(message) { message, secret in
            message.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "***")
        }
    }

    /// Whatever may have been meant as the password: from the user's colon to the last `@`, as a whole and
    /// between the characters at which libpq cuts.
    private static func partsOfPassword(inURI text: String) -> [String] {
        guard let scheme = text.firstRange(of: "://") else { return [] }
        let rest = text[scheme.upperBound...]
        guard let at = rest.lastIndex(of: "@"), let colon = rest.firstIndex(of: ":"), colon < at else {
            return []
        }
        let password = rest[rest.index(after: colon)..<at]
        let parts = password.split { "@/:?,".contains($0) }
        return parts.count > 1 ? [String(password)] + parts.map(String.init) : [String(password)]
    }
}
