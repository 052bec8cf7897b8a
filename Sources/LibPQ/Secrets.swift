/// The passwords of a connection string, to keep them out of messages.
///
/// libpq does not print passwords, but it prints hosts and databases, and a password with an unescaped `@`
/// or `/` ends up there.
struct Secrets: Sendable {
    /// Whether a URL's password seems to have such a character: libpq may have cut it in two.
    let mayBeCut: Bool
    /// Whether the name of the host has an `@` in it, which no name has.
    let isHostCut: Bool
    private let texts: [String]

    init(connectionString: String, options: [String: String]) {
        let url = Self.afterScheme(of: connectionString)
        let path = url.prefix { $0 != "?" }
        let authority = path.prefix { $0 != "/" }
        let signs = path.count { $0 == "@" }
        isHostCut = authority.count { $0 == "@" } > 1
        mayBeCut = signs > 1 || (signs == 1 && !authority.contains("@") && authority.contains(":"))

        var texts = [options["password"], options["sslpassword"]].compactMap(\.self)
        texts += Self.partsOfPassword(in: url)
        if !mayBeCut {
            // A password like the user's name is told by hiding that name rather than by showing it.
            let names = ["user", "host", "dbname"].compactMap { options[$0] }
            texts.removeAll(where: names.contains)
        }
        self.texts = Set(texts).filter { !$0.isEmpty }.sorted { $0.count > $1.count }
    }

    func redacted(from message: String) -> String {
        texts.reduce(message) { Self.replacing($1, in: $0) }
    }

    func occur(in text: String) -> Bool { redacted(from: text) != text }

    /// Short texts, which occur in many words, count as words only.
    private static func replacing(_ secret: String, in message: String) -> String {
        var result = ""
        var rest = message[...]
        while let range = rest.firstRange(of: secret) {
            let isInWord =
                isOfWord(message[..<range.lowerBound].last) || isOfWord(message[range.upperBound...].first)
            result += rest[..<range.lowerBound]
            result += isInWord && secret.count < 4 ? secret : "***"
            rest = rest[range.upperBound...]
        }
        return result + rest
    }

    private static func isOfWord(_ character: Character?) -> Bool {
        character.map { $0.isLetter || $0.isNumber } ?? false
    }

    private static func afterScheme(of text: String) -> Substring {
        text.firstRange(of: "://").map { text[$0.upperBound...] } ?? ""
    }

    /// Whatever may have been meant as the password: from the user's colon to the last `@`, as a whole and
    /// between the characters at which libpq cuts, as written and as libpq decodes it.
    private static func partsOfPassword(in url: Substring) -> [String] {
        guard let at = url.lastIndex(of: "@"), let colon = url.firstIndex(of: ":"), colon < at else {
            return []
        }
        let password = url[url.index(after: colon)..<at]
        let parts = [password] + password.split { "@/:?,&=".contains($0) }
        // What libpq cannot decode it does not print decoded.
        let decoded = parts.compactMap { try? parsedConnectionString("postgresql:///\($0)")["dbname"] }
        return parts.map(String.init) + decoded
    }
}
