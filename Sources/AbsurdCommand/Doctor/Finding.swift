/// What one check of `absurd doctor` has found, and what to do about it.
struct Finding: Sendable, Equatable {
    enum Status: String, Sendable { case ok, warning, failed }

    let check: String
    let status: Status
    let text: String
    /// Nil where nothing is to be done.
    let remedy: String?

    static func ok(_ check: String, _ text: String) -> Finding {
        Finding(check: check, status: .ok, text: text, remedy: nil)
    }

    static func warning(_ check: String, _ text: String, remedy: String) -> Finding {
        Finding(check: check, status: .warning, text: text, remedy: remedy)
    }

    static func failed(_ check: String, _ text: String, remedy: String?) -> Finding {
        Finding(check: check, status: .failed, text: text, remedy: remedy)
    }

    /// From the message of an error, where what to do stands behind the first semicolon.
    static func failed(_ check: String, message: String) -> Finding {
        let parts = message.split(separator: "; ", maxSplits: 1).map(String.init)
        return .failed(check, parts[0], remedy: parts.count > 1 ? parts[1] : nil)
    }
}

extension [Finding] {
    /// The gravest of all; ok when there is nothing.
    var status: Finding.Status {
        if contains(where: { $0.status == .failed }) { return .failed }
        return contains { $0.status == .warning } ? .warning : .ok
    }

    var text: String {
        let width = map(\.check.count).max() ?? 0
        return map { finding in
            let check = finding.check + String(repeating: " ", count: width - finding.check.count)
            let status = finding.status.rawValue
            let mark = status + String(repeating: " ", count: 7 - status.count)
            let line = "\(mark)  \(check)  \(finding.text.printable)"
            let margin = String(repeating: " ", count: 7 + 2 + width + 2)
            return finding.remedy.map { "\(line)\n\(margin)to do: \($0.printable)" } ?? line
        }.joined(separator: "\n")
    }

    var json: JSONOutput {
        .object([
            ("status", .string(status.rawValue)),
            (
                "checks",
                .array(
                    map { finding in
                        .object([
                            ("check", .string(finding.check)), ("status", .string(finding.status.rawValue)),
                            ("finding", .string(finding.text)), ("remedy", .optional(finding.remedy)),
                        ])
                    })
            ),
        ])
    }
}
