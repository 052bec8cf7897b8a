/// libpq's message about a connection that could not be made, taken apart.
///
/// Refused connections have no result to read fields from. In the verbose form the text has the SQLSTATE
/// behind the severity, as in `FATAL:  28P01: password authentication failed`, and names the place in the
/// server's source.
struct ConnectionReport {
    /// The last SQLSTATE in the text: with several hosts, that of the last one that answered.
    private(set) var sqlState: String?
    private(set) var message: String

    /// The setting that libpq complains of; other than a state it has no code, so this goes by the words.
    var fault: ConnectionFault? {
        guard sqlState == nil else { return nil }
        let lines = message.split(separator: "\n")
        if lines.contains(where: Self.namesService) { return .service }
        if lines.contains(where: Self.namesSetting) { return .setting }
        return message.contains("SSL") || message.contains("certificate") ? .encryption : nil
    }

    init(_ text: String) {
        var lines: [String] = []
        for line in text.split(whereSeparator: \.isNewline) where !Self.namesSource(line) {
            guard let range = Self.sqlState(in: line) else {
                lines.append(String(line))
                continue
            }
            sqlState = String(line[range])
            // The state is followed by a colon and a space.
            lines.append(String(line[..<range.lowerBound] + line[range.upperBound...].dropFirst(2)))
        }
        message = lines.joined(separator: "\n")
    }

    private static func namesService(_ line: Substring) -> Bool {
        ["definition of service ", "service file ", "syntax error in service file "]
            .contains { line.hasPrefix($0) }
    }

    private static func namesSetting(_ line: Substring) -> Bool {
        [
            "could not match ", "could not parse network address ", "invalid port number",
            "Unix-domain socket path ",
        ].contains { line.hasPrefix($0) }
            || line.contains("invalid integer value \"")
            || (line.hasPrefix("invalid ") && line.contains(" value: \""))
    }

    /// `LOCATION:  auth_failed, auth.c:330`, whose first word is translated.
    private static func namesSource(_ line: Substring) -> Bool {
        guard let colon = line.lastIndex(of: ":") else { return false }
        let number = line[line.index(after: colon)...]
        return line[..<colon].hasSuffix(".c") && !number.isEmpty && number.allSatisfy(\.isNumber)
    }

    /// Five digits or capitals between `:  ` and `: `.
    private static func sqlState(in line: Substring) -> Range<Substring.Index>? {
        var rest = line
        while let colon = rest.firstIndex(of: ":") {
            rest = rest[rest.index(after: colon)...]
            guard rest.hasPrefix("  ") else { continue }
            let candidate = rest.dropFirst(2).prefix(5)
            let isState =
                candidate.utf8.count == 5
                && candidate.allSatisfy { $0.isASCII && ($0.isNumber || $0.isUppercase) }
            if isState, line[candidate.endIndex...].hasPrefix(": ") {
                return candidate.startIndex..<candidate.endIndex
            }
        }
        return nil
    }
}
