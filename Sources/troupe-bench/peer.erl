%%===----------------------------------------------------------------------===%%
%% Part of the Troupe project. Copyright the Troupe authors.
%% SPDX-License-Identifier: Apache-2.0
%%===----------------------------------------------------------------------===%%
%%
%% The twin of troupe-bench for Erlang/OTP: figures of the same names that do
%% the same work. One figure per virtual machine; `main FIGURE` prints its rows.
-module(troupe_bench_peer).
-behaviour(gen_server).
-export([main/1]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(TIME_LIMIT_MS, 120000).

main([Figure]) ->
    ok = logger:set_primary_config(level, none),
    {_, Monitor} = spawn_monitor(fun() -> [print(Row) || Row <- figure(Figure)] end),
    receive
        {'DOWN', Monitor, process, _, normal} -> halt(0);
        {'DOWN', Monitor, process, _, Reason} -> give_up(Figure, Reason)
    after ?TIME_LIMIT_MS -> give_up(Figure, timeout)
    end.

give_up(Figure, Reason) ->
    io:format(standard_error, "erlang: ~s: ~p~n", [Figure, Reason]),
    halt(1).

print({Name, Value, Unit}) -> io:format("~s ~.3f ~s~n", [Name, float(Value), Unit]).

%% ---------------------------------------------------------------- figures

figure("spawn_100k") -> spawning("spawn_100k", 100000);
figure("spawn_1m") -> spawning("spawn_1m", 1000000);
figure("spawn_run_100k") -> spawning_and_running("spawn_run_100k", 100000);
figure("spawn_run_1m") -> spawning_and_running("spawn_run_1m", 1000000);
figure("spawn_server_100k") ->
    gen_servers(1000),
    settle(),
    Time = time(fun() -> gen_servers(100000) end),
    [{"spawn_server_100k", Time / 100000 / 1000, "us"}];

figure("mem_100k") -> memory("mem_per_process_100k_rss", 100000, fun gen_servers/1);
figure("mem_1m") -> memory("mem_per_process_1m_rss", 1000000, fun gen_servers/1);
figure("mem_hibernated_100k") ->
    memory("mem_per_process_hibernated_100k_rss", 100000, fun sleeping_servers/1);
figure("mem_plain_100k") ->
    memory("mem_per_plain_process_100k_rss", 100000, fun forget_idlers/1);
figure("mem_plain_1m") ->
    memory("mem_per_plain_process_1m_rss", 1000000, fun forget_idlers/1);

figure("call_roundtrip") ->
    {ok, Server} = gen_server:start(?MODULE, pinged, []),
    call_times(Server, 20000),
    settle(),
    Time = time(fun() -> call_times(Server, 500000) end),
    520000 = gen_server:call(Server, count),
    [{"call_roundtrip", Time / 500000, "ns"}];

figure("send_1p1c") -> stream("send_1p1c", send, 1, 1, 2000000, free);
figure("send_1p1c_window") -> stream("send_1p1c_window", send, 1, 1, 2000000, window);
figure("send_1p1c_offheap") -> stream("send_1p1c_offheap", send_offheap, 1, 1, 2000000, free);
figure("send_8p1c") -> stream("send_8p1c", send, 1, 8, 250000, free);
figure("send_8p1c_window") -> stream("send_8p1c_window", send, 1, 8, 250000, window);
figure("pairs_8") -> stream("pairs_8", send, 8, 1, 500000, free);
figure("pairs_8_window") -> stream("pairs_8_window", send, 8, 1, 500000, window);
figure("cast_1p1c") -> stream("cast_1p1c", cast, 1, 1, 1000000, free);
figure("cast_1p1c_window") -> stream("cast_1p1c_window", cast, 1, 1, 1000000, window);

figure("ring_1000x1000") ->
    Driver = self(),
    Entry = ring(1000, Driver),
    go_around(Entry, 20000),
    settle(),
    Hops = 1000 * 1000,
    [{"ring_1000x1000", time(fun() -> go_around(Entry, Hops) end) / Hops, "ns"}];
figure("pingpong") ->
    Driver = self(),
    Answering = spawn(fun answer_pings/0),
    Asking = spawn(fun() -> ask_pings(Answering, Driver) end),
    play(Asking, 20000),
    settle(),
    [{"pingpong", time(fun() -> play(Asking, 1000000) end) / 1000000, "ns"}];
figure("fanout_1_to_10k") ->
    Count = 10000,
    Rounds = 50,
    Answerers = [spawn(fun greet_back/0) || _ <- lists:seq(1, Count)],
    fan_out(Answerers, Count, 2),
    settle(),
    Time = time(fun() -> fan_out(Answerers, Count, Rounds) end),
    [{"fanout_1_to_10k", Time / (Count * Rounds), "ns"},
     {"fanout_1_to_10k_round", Time / Rounds / 1000, "us"}];

figure("link_kill_chain") ->
    kill_chain(1000),
    settle(),
    [{"link_kill_chain", kill_chain(100000) / 100000 / 1000, "us"}];
figure("monitor_down_100k") ->
    watch(1000),
    settle(),
    {Setting, Ending} = watch(100000),
    [{"monitor_set_100k", Setting / 100000, "ns"},
     {"monitor_down_100k", Ending / 100000, "ns"}];

figure("supervisor_restart") -> restarts("supervisor_restart", 10000);
figure("supervisor_restart_1k") -> restarts("supervisor_restart_1k", 1000);

figure("timers") ->
    Count = 100000,
    Driver = self(),
    Receiver = spawn(fun() -> note_lateness(Count, [], Driver) end),
    Delays = [rand:uniform(1001) - 1 || _ <- lists:seq(1, Count)],
    settle(),
    Setting = time(fun() -> set_timers(Delays, Receiver) end),
    Sorted = receive {lateness, All} -> list_to_tuple(lists:sort(All)) end,
    [{"timer_set_100k", Setting / Count, "ns"}
     | [{"timers_lateness_" ++ Which, element(Place, Sorted) / 1000, "ms"}
        || {Which, Place} <- [{"median", Count div 2}, {"p99", Count * 99 div 100},
                              {"max", Count}, {"min", 1}]]];
figure("timer_cancel") ->
    Count = 100000,
    settle(),
    Timers = [erlang:send_after(60000 + I rem 1000, self(), late) || I <- lists:seq(1, Count)],
    Time = time(fun() -> cancel_all(Timers) end),
    [{"timer_cancel_100k", Time / Count, "ns"}];

figure("registry") ->
    Count = 10000,
    Lookups = 1000000,
    Pids = idlers(Count),
    Names = [list_to_atom("bench_name_" ++ integer_to_list(I)) || I <- lists:seq(1, Count)],
    settle(),
    Registering = time(fun() -> register_all(Names, Pids) end),
    Shuffled = list_to_tuple(
        [Name || {_, Name} <- lists:sort([{rand:uniform(), Name} || Name <- Names])]),
    look_up(10000, Shuffled, Count),
    Looking = time(fun() -> look_up(Lookups, Shuffled, Count) end),
    Unregistering = time(fun() -> lists:foreach(fun erlang:unregister/1, Names) end),
    [{"registry_register", Registering / Count, "ns"},
     {"registry_whereis", Looking / Lookups, "ns"},
     {"registry_unregister", Unregistering / Count, "ns"}
     | keys(Pids, Count, Lookups)];

figure("skynet") ->
    4950 = skynet(100),
    settle(),
    Time = time(fun() -> 499999500000 = skynet(1000000) end),
    [{"skynet", Time / 1000000, "ms"}].

%% ---------------------------------------------------------------- measuring

time(Work) ->
    Start = erlang:monotonic_time(nanosecond),
    Work(),
    erlang:monotonic_time(nanosecond) - Start.

settle() ->
    erlang:garbage_collect(),
    timer:sleep(200).

resident_bytes() ->
    Text = case file:read_file("/proc/self/status") of
        {ok, Status} -> Status;
        {error, _} -> "VmRSS: " ++ os:cmd("ps -o rss= -p " ++ os:getpid())
    end,
    {match, [Digits]} = re:run(Text, "VmRSS:\\s*(\\d+)", [{capture, all_but_first, list}]),
    1024 * list_to_integer(Digits).

memory(Row, Count, Make) ->
    Make(10),
    settle(),
    timer:sleep(300),
    Before = resident_bytes(),
    Make(Count),
    settle(),
    timer:sleep(800),
    [{Row, (resident_bytes() - Before) / Count, "bytes"}].

%% ---------------------------------------------------------------- spawning

idler() -> receive stop -> ok end.

idlers(Count) -> idlers(Count, []).
idlers(0, Pids) -> Pids;
idlers(Count, Pids) -> idlers(Count - 1, [spawn(fun idler/0) | Pids]).

forget_idlers(0) -> ok;
forget_idlers(Count) ->
    spawn(fun idler/0),
    forget_idlers(Count - 1).

gen_servers(0) -> ok;
gen_servers(Count) ->
    {ok, _} = gen_server:start(?MODULE, pinged, []),
    gen_servers(Count - 1).

sleeping_servers(0) -> ok;
sleeping_servers(Count) ->
    {ok, _} = gen_server:start(?MODULE, hibernating, []),
    sleeping_servers(Count - 1).

spawning(Row, Count) ->
    [exit(Pid, kill) || Pid <- idlers(1000)],
    settle(),
    [{Row, time(fun() -> idlers(Count) end) / Count / 1000, "us"}].

spawning_and_running(Row, Count) ->
    spawn_and_run(1000),
    settle(),
    [{Row, time(fun() -> spawn_and_run(Count) end) / Count / 1000, "us"}].

%% Those that run report to a process of their own: in the spawner's mailbox
%% each of its collections would go through all reports.
spawn_and_run(Count) ->
    Spawner = self(),
    Sink = spawn(fun() -> gather(Count, up), Spawner ! complete end),
    spawn_runners(Count, fun() -> Sink ! up end),
    receive complete -> ok end.

spawn_runners(0, _) -> ok;
spawn_runners(Count, Run) ->
    spawn(Run),
    spawn_runners(Count - 1, Run).

gather(0, _) -> ok;
gather(Count, Message) -> receive Message -> gather(Count - 1, Message) end.

%% ---------------------------------------------------------------- messages

call_times(_, 0) -> ok;
call_times(Server, Count) ->
    ok = gen_server:call(Server, ping),
    call_times(Server, Count - 1).

stream(Row, How, Pairs, Producers, Each, Limit) ->
    stream_once(How, Pairs, Producers, 1000, Limit),
    settle(),
    Time = stream_once(How, Pairs, Producers, Each, Limit),
    [{Row, Time / (Pairs * Producers * Each), "ns"}].

stream_once(How, Pairs, Producers, Each, Limit) ->
    Consumers = [consumer(How, Producers * Each) || _ <- lists:seq(1, Pairs)],
    Started = [spawn(fun() -> receive go -> produce(How, Consumer, Each, Limit) end end)
               || Consumer <- Consumers, _ <- lists:seq(1, Producers)],
    timer:sleep(20),
    time(fun() ->
        [Producer ! go || Producer <- Started],
        [receive {complete, Consumer} -> ok end || Consumer <- Consumers]
    end).

consumer(send, Count) ->
    Driver = self(),
    spawn(fun() -> consume(Count, Driver) end);
consumer(send_offheap, Count) ->
    Driver = self(),
    spawn_opt(fun() -> consume(Count, Driver) end, [{message_queue_data, off_heap}]);
consumer(cast, Count) ->
    {ok, Server} = gen_server:start(?MODULE, {counting, Count, self()}, []),
    Server.

consume(0, Driver) -> Driver ! {complete, self()};
consume(Left, Driver) ->
    receive
        {increment, _} -> consume(Left - 1, Driver);
        {sync, Producer} -> Producer ! acknowledged, consume(Left, Driver)
    end.

produce(send, Consumer, Count, free) -> send_free(Consumer, Count);
produce(send_offheap, Consumer, Count, free) -> send_free(Consumer, Count);
produce(cast, Consumer, Count, free) -> cast_free(Consumer, Count);
produce(send, Consumer, Count, window) -> send_window(Consumer, Count, 500, closed);
produce(cast, Consumer, Count, window) -> cast_window(Consumer, Count, 500, closed).

send_free(_, 0) -> ok;
send_free(Consumer, Left) ->
    Consumer ! {increment, Left},
    send_free(Consumer, Left - 1).

cast_free(_, 0) -> ok;
cast_free(Consumer, Left) ->
    gen_server:cast(Consumer, {increment, Left}),
    cast_free(Consumer, Left - 1).

%% After every 500 messages a sync, of which two may be without an answer.
send_window(_, 0, _, _) -> ok;
send_window(Consumer, Left, 0, Sync) ->
    Consumer ! {sync, self()},
    await_other(Sync),
    send_window(Consumer, Left, 500, open);
send_window(Consumer, Left, Room, Sync) ->
    Consumer ! {increment, Left},
    send_window(Consumer, Left - 1, Room - 1, Sync).

cast_window(_, 0, _, _) -> ok;
cast_window(Consumer, Left, 0, Sync) ->
    gen_server:cast(Consumer, {sync, self()}),
    await_other(Sync),
    cast_window(Consumer, Left, 500, open);
cast_window(Consumer, Left, Room, Sync) ->
    gen_server:cast(Consumer, {increment, Left}),
    cast_window(Consumer, Left - 1, Room - 1, Sync).

await_other(closed) -> ok;
await_other(open) -> receive acknowledged -> ok end.

ring(Count, Driver) ->
    Entry = spawn(fun() -> receive {next, Next} -> pass(Next, Driver) end end),
    Second = lists:foldl(
        fun(_, Next) -> spawn(fun() -> pass(Next, Driver) end) end,
        Entry, lists:seq(1, Count - 1)),
    Entry ! {next, Second},
    Entry.

pass(Next, Driver) ->
    receive
        0 -> Driver ! done;
        HopsLeft -> Next ! HopsLeft - 1
    end,
    pass(Next, Driver).

go_around(Entry, Hops) ->
    Entry ! Hops,
    receive done -> ok end.

answer_pings() ->
    receive {ping, Sender} -> Sender ! pong end,
    answer_pings().

ask_pings(Answering, Driver) ->
    receive {play, Count} -> ping_times(Answering, Count) end,
    Driver ! done,
    ask_pings(Answering, Driver).

ping_times(_, 0) -> ok;
ping_times(Answering, Count) ->
    Answering ! {ping, self()},
    receive pong -> ok end,
    ping_times(Answering, Count - 1).

play(Asking, Count) ->
    Asking ! {play, Count},
    receive done -> ok end.

greet_back() ->
    receive {hello, Sender} -> Sender ! answer end,
    greet_back().

fan_out(_, _, 0) -> ok;
fan_out(Answerers, Count, Rounds) ->
    Hello = {hello, self()},
    lists:foreach(fun(Pid) -> Pid ! Hello end, Answerers),
    gather(Count, answer),
    fan_out(Answerers, Count, Rounds - 1).

%% ---------------------------------------------------------------- faults

kill_chain(Count) ->
    Driver = self(),
    CountBefore = erlang:system_info(process_count),
    Head = spawn(fun() -> chain_link(Count - 1, Driver) end),
    Tail = receive {tail, Pid} -> Pid end,
    Monitor = monitor(process, Tail),
    settle(),
    Time = time(fun() ->
        exit(Head, kill),
        receive {'DOWN', Monitor, process, Tail, killed} -> ok end
    end),
    timer:sleep(100),
    true = erlang:system_info(process_count) =< CountBefore,
    Time.

chain_link(0, Driver) ->
    Driver ! {tail, self()},
    idler();
chain_link(Left, Driver) ->
    spawn_link(fun() -> chain_link(Left - 1, Driver) end),
    idler().

watch(Count) ->
    Pids = idlers(Count),
    settle(),
    Setting = time(fun() -> lists:foreach(fun(Pid) -> monitor(process, Pid) end, Pids) end),
    settle(),
    Ending = time(fun() ->
        lists:foreach(fun(Pid) -> Pid ! stop end, Pids),
        gather_downs(Count)
    end),
    {Setting, Ending}.

gather_downs(0) -> ok;
gather_downs(Left) ->
    receive {'DOWN', _, process, _, normal} -> gather_downs(Left - 1) end.

%% ---------------------------------------------------------------- timers, names

set_timers([], _) -> ok;
set_timers([Delay | Delays], Receiver) ->
    Due = erlang:monotonic_time(microsecond) + 1000 * Delay,
    erlang:send_after(Delay, Receiver, {due, Due}),
    set_timers(Delays, Receiver).

note_lateness(0, Lateness, Driver) -> Driver ! {lateness, Lateness};
note_lateness(Left, Lateness, Driver) ->
    receive
        {due, Due} ->
            Late = erlang:monotonic_time(microsecond) - Due,
            note_lateness(Left - 1, [Late | Lateness], Driver)
    end.

cancel_all([]) -> ok;
cancel_all([Timer | Timers]) ->
    true = is_integer(erlang:cancel_timer(Timer)),
    cancel_all(Timers).

register_all([], []) -> ok;
register_all([Name | Names], [Pid | Pids]) ->
    true = register(Name, Pid),
    register_all(Names, Pids).

look_up(0, _, _) -> ok;
look_up(Left, Names, Count) ->
    true = is_pid(whereis(element(1 + Left rem Count, Names))),
    look_up(Left - 1, Names, Count).

%% Binary keys in a table, and in Elixir's Registry where Elixir is installed.
keys(Pids, Count, Lookups) ->
    Keys = [<<"user:", (integer_to_binary(I))/binary>> || I <- lists:seq(1, Count)],
    Shuffled = list_to_tuple([Key || {_, Key} <- lists:sort([{rand:uniform(), Key} || Key <- Keys])]),
    Table = ets:new(names, [public, set, {read_concurrency, true}]),
    Entries = lists:zip(Keys, Pids),
    Inserting = time(fun() ->
        lists:foreach(fun(Entry) -> true = ets:insert_new(Table, Entry) end, Entries)
    end),
    find(10000, Table, Shuffled, Count),
    Finding = time(fun() -> find(Lookups, Table, Shuffled, Count) end),
    [{"registry_ets_insert", Inserting / Count, "ns"},
     {"registry_ets_lookup", Finding / Lookups, "ns"}
     | elixir_registry(Keys, Shuffled, Count, Lookups)].

find(0, _, _, _) -> ok;
find(Left, Table, Keys, Count) ->
    [{_, _}] = ets:lookup(Table, element(1 + Left rem Count, Keys)),
    find(Left - 1, Table, Keys, Count).

elixir_registry(Keys, Shuffled, Count, Lookups) ->
    code:add_patha(string:trim(os:cmd("elixir -e 'IO.puts(:code.lib_dir(:elixir, :ebin))'"))),
    case application:ensure_all_started(elixir) of
        {error, _} -> [];
        {ok, _} ->
            Registry = 'Elixir.TroupeBench',
            {ok, _} = 'Elixir.Registry':start_link([{keys, unique}, {name, Registry}]),
            Driver = self(),
            Entrants = [spawn(fun() -> enter(Registry, Key, Driver) end) || Key <- Keys],
            Entering = time(fun() ->
                lists:foreach(fun(Pid) -> Pid ! enter end, Entrants),
                gather(Count, up)
            end),
            ask(10000, Registry, Shuffled, Count),
            Asking = time(fun() -> ask(Lookups, Registry, Shuffled, Count) end),
            [{"registry_elixir_register", Entering / Count, "ns"},
             {"registry_elixir_whereis", Asking / Lookups, "ns"}]
    end.

enter(Registry, Key, Driver) ->
    receive enter -> ok end,
    {ok, _} = 'Elixir.Registry':register(Registry, Key, nil),
    Driver ! up,
    idler().

ask(0, _, _, _) -> ok;
ask(Left, Registry, Keys, Count) ->
    true = is_pid('Elixir.Registry':whereis_name({Registry, element(1 + Left rem Count, Keys)})),
    ask(Left - 1, Registry, Keys, Count).

%% ---------------------------------------------------------------- skynet

skynet(Leaves) ->
    Driver = self(),
    spawn(fun() -> branch(Driver, 0, Leaves) end),
    receive {sum, Sum} -> Sum end.

branch(Parent, First, 1) -> Parent ! {sum, First};
branch(Parent, First, Leaves) ->
    branches(10, self(), First, Leaves div 10),
    Parent ! {sum, add_up(10, 0)}.

branches(0, _, _, _) -> ok;
branches(Left, Parent, First, Leaves) ->
    spawn(fun() -> branch(Parent, First, Leaves) end),
    branches(Left - 1, Parent, First + Leaves, Leaves).

add_up(0, Sum) -> Sum;
add_up(Left, Sum) -> receive {sum, Part} -> add_up(Left - 1, Sum + Part) end.

%% From the kill to the message that the new worker sends from its init.
restarts(Name, Count) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, {supervising, self()}),
    First = receive {up, Pid} -> Pid end,
    Warm = restart(First, 100),
    timer:sleep(1200),
    Time = time(fun() -> restart(Warm, Count) end),
    true = is_process_alive(Supervisor),
    [{Name, Time / Count / 1000, "us"}].

restart(Worker, 0) -> Worker;
restart(Worker, Left) ->
    exit(Worker, kill),
    receive {up, Next} -> Next = whereis(bench_worker), restart(Next, Left - 1) end.

%% ---------------------------------------------------------------- gen_server

init({supervising, Driver}) ->
    Worker = {gen_server, start_link, [{local, bench_worker}, ?MODULE, {supervised, Driver}, []]},
    {ok, {#{strategy => one_for_one, intensity => 10000000, period => 1},
          [#{id => worker, start => Worker}]}};
init({supervised, Driver}) ->
    Driver ! {up, self()},
    {ok, Driver};
init(pinged) -> {ok, 0};
init(hibernating) -> {ok, 0, hibernate};
init({counting, Count, Driver}) -> {ok, {Count, Driver}}.

handle_call(ping, _, Count) -> {reply, ok, Count + 1};
handle_call(count, _, Count) -> {reply, Count, Count}.

handle_cast({increment, _}, {1, Driver}) ->
    Driver ! {complete, self()},
    {noreply, {0, Driver}};
handle_cast({increment, _}, {Left, Driver}) -> {noreply, {Left - 1, Driver}};
handle_cast({sync, Producer}, State) ->
    Producer ! acknowledged,
    {noreply, State}.
