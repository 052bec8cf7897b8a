import Testing

@testable import LibPQ

struct ConnectionReportTests {
    @Test func `the state of a refused connection is taken out of its message`() {
        let report = ConnectionReport(
            """
            connection to server at "127.0.0.1", port 5432 failed: FATAL:  28P01: password authentication failed for user "x"
            LOCATION:  auth_failed, auth.c:330
            """)
        #expect(report.sqlState == "28P01")
        #expect(
            report.message
                == """
                connection to server at "127.0.0.1", port 5432 failed: FATAL:  password authentication failed for user "x"
                """)
    }

    @Test func `with several hosts the last state counts`() {
        let report = ConnectionReport(
            "a failed: FATAL:  57P03: starting up\nb failed: FATAL:  3D000: no database")
        #expect(report.sqlState == "3D000")
    }

    @Test(arguments: ["connection refused", "failed:  x: y", "FATAL:  abcde: lower", "", "FATAL:  28P01"])
    func `a message without a state stays as it is`(_ text: String) {
        let report = ConnectionReport(text)
        #expect(report.sqlState == nil)
        #expect(report.message == text)
    }
}

struct ConnectionFaultTests {
    @Test(
        arguments: [
            (#"invalid integer value "abc" for connection option "port""#, .setting),
            (#"invalid port number: "99999""#, .setting),
            (#"invalid sslmode value: "foo""#, .setting),
            ("could not match 3 port numbers to 2 hosts", .setting),
            (#"definition of service "none" not found"#, .service),
            (#"service file "/x" not found"#, .service),
            (
                #"connection to server at "h", port 5432 failed: server does not support SSL, but SSL was required"#,
                .encryption
            ),
            (#"could not translate host name "h" to address: Name or service not known"#, nil),
            (#"connection to server at "h", port 5432 failed: Connection refused"#, nil),
            (#"h failed: FATAL:  28000: no pg_hba.conf entry for host "h", user "u", SSL encryption"#, nil),
        ] as [(String, ConnectionFault?)])
    func `libpq's words tell which setting is at fault`(_ text: String, _ fault: ConnectionFault?) {
        #expect(ConnectionReport(text).fault == fault)
    }
}

struct ConnectionTargetTests {
    private let options = ["user": "u", "dbname": "d"]

    @Test func `the target is where the attempt got to`() {
        let socket = ConnectionTarget(.init(name: "/run/pg", address: "", port: "5432"), options: options)
        #expect(socket == ConnectionTarget(host: "/run/pg", port: "5432", user: "u", database: "d"))
        let resolved = HostList.Host(name: "db", address: "10.0.0.1", port: "7")
        #expect(ConnectionTarget(resolved, options: options)?.host == "db")
        let addressed = options.merging(["hostaddr": "10.0.0.1"]) { $1 }
        #expect(ConnectionTarget(resolved, options: addressed)?.host == "10.0.0.1")
        #expect(ConnectionTarget(resolved, options: [:]) == nil)
    }
}

struct ConnectionLimitsTests {
    let start = ContinuousClock.now

    @Test func `one host has all the time`() {
        var limits = ConnectionLimits(total: .seconds(10), start: start)
        limits.learn(from: ["host": "a"])
        limits.enter(address: .init(name: "a"), now: start)
        #expect(limits.next == start + .seconds(10))
    }

    @Test func `several hosts share the time`() {
        var limits = ConnectionLimits(total: .seconds(10), start: start)
        limits.learn(from: ["host": "a,b"])
        limits.enter(address: .init(name: "a"), now: start)
        #expect(limits.next == start + .seconds(5))
        limits.enter(address: .init(name: "a"), now: start + .seconds(4))
        #expect(limits.next == start + .seconds(5))
        limits.enter(address: .init(name: "b"), now: start + .seconds(5))
        #expect(limits.next == start + .seconds(10))
    }

    @Test func `the user's connect_timeout counts per host`() {
        var limits = ConnectionLimits(total: .seconds(10), start: start)
        limits.learn(from: ["host": "a,b,c", "connect_timeout": "20"])
        limits.enter(address: .init(name: "a"), now: start)
        #expect(limits.next == start + .seconds(20))
        #expect(limits.deadline == start + .seconds(60))
    }

    @Test func `nothing goes beyond the caller's own limit`() {
        var limits = ConnectionLimits(total: .seconds(10), until: start + .seconds(1), start: start)
        limits.learn(from: ["host": "a,b", "connect_timeout": "20"])
        limits.enter(address: .init(name: "a"), now: start)
        #expect(limits.next == start + .seconds(1))
    }
}

struct HostListTests {
    /// What remains of the hosts when one is taken out; nil when it is not there or nothing remains.
    private func rest(of options: [String: String], without host: HostList.Host) -> String? {
        var list = HostList(options: options)
        guard list.remove(host) else { return nil }
        return list.options.map { $0.map { "\($0.keyword)=\($0.value)" }.joined(separator: " ") }
    }

    @Test func `the others remain when one is taken out`() {
        let hosts = ["host": "a,b,c", "port": "1,2,3"]
        #expect(
            rest(of: hosts, without: .init(name: "b", address: "10.0.0.2", port: "2")) == "host=a,c port=1,3")
        #expect(rest(of: hosts, without: .init(name: "b", address: "10.0.0.2", port: "1")) == nil)
    }

    @Test func `one port is for all hosts, and a missing one is the default`() {
        let a = HostList.Host(name: "a", port: "7")
        #expect(rest(of: ["host": "a,b", "port": "7"], without: a) == "host=b port=7")
        #expect(rest(of: ["host": "a,b", "port": "7,"], without: a) == "host=b port=5432")
    }

    @Test func `hosts of the same name are told apart by port or address`() {
        let both = ["host": "a,a,a", "hostaddr": "::1,::2,::3"]
        #expect(
            rest(of: both, without: .init(name: "a", address: "::2", port: "5432"))
                == "host=a,a hostaddr=::1,::3")
        let addresses = ["hostaddr": "::1,::2"]
        #expect(
            rest(of: addresses, without: .init(name: "::1", address: "::1", port: "5432")) == "hostaddr=::2")
    }

    @Test func `those that were tried are taken out together, and one that was silent goes last`() {
        var list = HostList(options: ["host": "a,b,c", "port": "1,2,3"])
        var moved = list
        let isFound = list.removeThrough(.init(name: "b", port: "2"))
        #expect(isFound && list.hosts.map(\.name) == ["c"])
        let isMoved = moved.moveToEnd(.init(name: "a", port: "1"))
        #expect(isMoved && moved.hosts.map(\.name) == ["b", "c", "a"])
        let isMovedAgain = moved.moveToEnd(.init(name: "a", port: "1"))
        #expect(!isMovedAgain)
    }

    @Test(arguments: [("read-write", true), ("any", false)])
    func `a silent host is last, for good where only one will do`(attributes: String, forGood: Bool) {
        let memory = HostMemory()
        let options = ["host": "a,b", "port": "1,2", "target_session_attrs": attributes]
        let now = ContinuousClock.now
        func hosts(_ string: String, at instant: ContinuousClock.Instant) -> String? {
            memory.options(for: string, now: instant).first { $0.keyword == "host" }?.value
        }
        #expect(hosts("x", at: now) == nil)
        memory.wasSilent(.init(name: "a", port: "1"), of: "x", options: options, now: now)
        #expect(hosts("x", at: now + .seconds(59)) == "b,a")
        #expect(hosts("another", at: now) == nil)
        #expect((hosts("x", at: now + .seconds(61)) == "b,a") == forGood)
    }

    @Test func `nothing remains of one host, or of one without a name`() {
        #expect(rest(of: ["port": "5432"], without: .init(name: "/tmp", port: "5432")) == nil)
        #expect(rest(of: ["host": "a,"], without: .init(name: "a", port: "5432")) == nil)
    }
}

struct SecretsTests {
    @Test(arguments: [
        ("postgresql://u:hunter2@h/d", "hunter2"),
        ("postgresql://u:hun@ter2@h/d", "ter2"),
        ("postgresql://u:hun/ter2@h/d", "hun"),
        ("host=h password=hunter2", "hunter2"),
        ("host=h sslpassword='hunter2'", "hunter2"),
    ])
    func `a password is not in a message, whole or in parts`(_ string: String, _ secret: String) throws {
        let options = (try? parsedConnectionString(string)) ?? [:]
        let secrets = Secrets(connectionString: string, options: options)
        #expect(!secrets.redacted(from: "cannot resolve \"\(secret)\"").contains(secret))
    }

    @Test func `a short part of a password is hidden where it stands alone, and no word is spoilt`() {
        let string = "postgresql://postgres:p@ss/w@localhost/shop"
        let secrets = Secrets(connectionString: string, options: ["host": "ss", "password": "p"])
        #expect(secrets.mayBeCut)
        #expect(
            secrets.redacted(
                from: #"could not translate host name "ss" to address: Name or service not known"#)
                == #"could not translate host name "***" to address: Name or service not known"#)
        #expect(secrets.redacted(from: #"database "w@localhost/shop""#) == #"database "***@localhost/shop""#)
    }

    @Test func `a part is hidden as libpq decodes it, too`() {
        let secrets = Secrets(connectionString: "postgresql://u:hun%21ter/2@h/d", options: [:])
        #expect(secrets.redacted(from: "port \"hun!ter\"") == "port \"***\"")
    }

    @Test func `a password that is the user's name does not hide that name`() {
        let string = "postgresql://postgres:postgres@localhost/postgres"
        let options = ["user": "postgres", "password": "postgres", "host": "localhost", "dbname": "postgres"]
        let secrets = Secrets(connectionString: string, options: options)
        #expect(secrets.redacted(from: #"role "postgres""#) == #"role "postgres""#)
    }

    @Test(
        arguments: [
            ("postgresql://u:p@h/d", false, false), ("postgresql://u@h/d?application_name=a@b", false, false),
            ("postgresql://h:5432/d@x", true, false), ("postgresql://u:hun/ter2@h/d", true, false),
            ("postgresql://u:p@h/d@x", true, false), ("postgresql://u:hun@ter2@h/d", true, true),
            ("host=h password=a@b@c", false, false),
        ])
    func `a second @ tells of a password that libpq cuts`(_ string: String, _ mayBe: Bool, _ isHost: Bool) {
        let secrets = Secrets(connectionString: string, options: [:])
        #expect(secrets.mayBeCut == mayBe)
        #expect(secrets.isHostCut == isHost)
    }

    @Test(
        arguments: [
            ("dbnam=shop", "dbnam"), ("host=h password=hunter2 dbnam=shop", "dbnam"),
            ("password=hunter2 hots=h", "hots"), ("databse=shop password=hunter2", "databse"),
            ("postgresql://u:hunter2@h/d?ssl_mode=require", "ssl_mode"),
            ("password=x hun=ter2", nil), ("password=hun ter=2", nil), ("postgresql://u:a/b?ter=2@h/d", nil),
            ("hunter2=x", nil),
        ] as [(String, String?)])
    func `an option that does not exist is named, unless it can be the end of a password`(
        _ string: String, _ name: String?
    ) {
        let error = #expect(throws: PostgresError.self) { try parsedConnectionString(string) }
        let message = error?.message ?? ""
        #expect(message.hasSuffix("\"\(name ?? "…")\""), "\(message)")
    }

    @Test func `what libpq quotes of its own stays`() {
        let error = #expect(throws: PostgresError.self) { try parsedConnectionString("password=hun \"ter2") }
        #expect(
            error?.message
                == #"the connection string cannot be read: missing "=" after "…" in connection info string"#)
        let url = #expect(throws: PostgresError.self) { try parsedConnectionString("postgresql://u:%zz@h/d") }
        #expect(url?.fault == .escaping)
    }

    @Test(arguments: [
        "password=hun ter2", "postgresql://u:hunter2@[h/d", "host='hunter2", "postgresql://u:%zzhunter2@h",
        "hunter2",
    ])
    func `an unreadable connection string is not quoted`(_ string: String) {
        let error = #expect(throws: PostgresError.self) { try parsedConnectionString(string) }
        #expect(error?.code == .invalidConfiguration)
        #expect(!String(reflecting: error).contains("ter2"))
    }

    @Test func `a configuration that is printed shows no connection string`() {
        let configuration = PostgresConfiguration(connectionString: "postgresql://u:hunter2@h/d")
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!"\(configuration)\(String(reflecting: configuration))\(dumped)".contains("hunter2"))
    }
}
