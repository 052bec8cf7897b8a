/// The hosts of a connection string, of which an attempt can leave some out.
///
/// libpq goes on to the next host by itself when one refuses, but once a host has accepted the connection
/// only its blocking functions do, so the attempt has to start again with the others.
struct HostList: Sendable {
    struct Host: Sendable, Equatable {
        var name: String?
        var address: String?
        var port: String?
    }

    private(set) var hosts: [Host]

    /// - Parameter options: those in force, where libpq has filled in service file and environment.
    init(options: [String: String]) {
        func list(_ keyword: String) -> [String] {
            guard let text = options[keyword], !text.isEmpty else { return [] }
            return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"))
        let count = max(names.count, addresses.count, 1)
        hosts = (0..<count).map { index in
            func item(_ list: [String]) -> String? { index < list.count ? list[index] : nil }
            return Host(
                name: item(names), address: item(addresses),
                // One port is for all hosts.
                port: ports.count == 1 ? ports[0] : item(ports))
        }
    }

    /// Takes out the host that libpq is connecting to; false when it is not in the list.
    mutating func remove(_ current: Host) -> Bool {
        guard let index = index(of: current) else { return false }
        hosts.remove(at: index)
        return true
    }

    /// Takes out that host and those before it, which libpq has tried; false when it is not in the list.
    mutating func removeThrough(_ current: Host) -> Bool {
        guard let index = index(of: current) else { return false }
        hosts.removeFirst(index + 1)
        return true
    }

    /// Puts that host last; false when that changes nothing.
    mutating func moveToEnd(_ current: Host) -> Bool {
        guard let index = index(of: current), index < hosts.count - 1 else { return false }
        hosts.append(hosts.remove(at: index))
        return true
    }

    private func index(of current: Host) -> Int? {
        hosts.firstIndex { $0.isNamed(current) && $0.address == current.address }
            ?? hosts.firstIndex { $0.isNamed(current) }
    }

    /// The options that name the hosts of this list and no others; nil when there is none that can be named.
    var options: [(keyword: String, value: String)]? {
        guard !hosts.isEmpty else { return nil }
        func join(_ items: [String?], ifMissing: String = "") -> String? {
            guard items.contains(where: { $0 != nil }) else { return nil }
            return items.map { $0.flatMap { $0.isEmpty ? nil : $0 } ?? ifMissing }.joined(separator: ",")
        }
        let lists = [
            ("host", join(hosts.map(\.name))), ("hostaddr", join(hosts.map(\.address))),
            ("port", join(hosts.map(\.port), ifMissing: Self.defaultPort)),
        ]
        // An option with an empty value is none for libpq, which would take the whole list instead.
        guard !lists.contains(where: { $0.1?.isEmpty == true }) else { return nil }
        return lists.compactMap { keyword, value in value.map { (keyword, $0) } }
    }

    private static let defaultPort = "5432"
}

extension HostList.Host {
    /// Whether libpq means this entry when it says that it connects to `current`.
    ///
    /// It names the address where there is no name, and its own default where there is neither.
    fileprivate func isNamed(_ current: HostList.Host) -> Bool {
        let names = [name, address].compactMap { $0.flatMap { $0.isEmpty ? nil : $0 } }
        let port = port.flatMap { $0.isEmpty ? nil : $0 }
        return (names.isEmpty || names[0] == current.name) && (port == nil || port == current.port)
    }
}
