"""The metric table as text: a heading `family|quantity|unit|kind|datatype|low|high`, then lines `id name`.

An id never changes and is never used again: it is part of every alias on the wire. 0 is Store/Record, 240..255 are
reserved. Units are UCUM codes. Counters are UInt64 (8) in their step; gauges Float (9); states UInt8 (5) or Int32 (3);
events Int32 (3). The range is what is plausible on the primary side of the largest industrial supply.
"""

TABLE = """
energy|active energy|W.h|counter|8|0|1000000000000000
1 active_energy_import_wh
2 active_energy_export_wh
3 active_energy_import_t1_wh
4 active_energy_import_t2_wh
5 active_energy_import_t3_wh
6 active_energy_import_t4_wh
7 active_energy_export_t1_wh
8 active_energy_export_t2_wh
9 active_energy_export_t3_wh
10 active_energy_export_t4_wh
18 active_energy_import_l1_wh
19 active_energy_import_l2_wh
20 active_energy_import_l3_wh
energy|reactive energy|V.A{reactive}.h|counter|8|0|1000000000000000
11 reactive_energy_import_varh
12 reactive_energy_export_varh
13 reactive_energy_q1_varh
14 reactive_energy_q2_varh
15 reactive_energy_q3_varh
16 reactive_energy_q4_varh
energy|apparent energy|V.A.h|counter|8|0|1000000000000000
17 apparent_energy_vah
energy|active power|W|gauge|9|-2000000000|2000000000
30 active_power_w
31 active_power_l1_w
32 active_power_l2_w
33 active_power_l3_w
57 active_power_demand_w
58 active_power_demand_max_w
energy|reactive power|V.A{reactive}|gauge|9|-2000000000|2000000000
34 reactive_power_var
35 reactive_power_l1_var
36 reactive_power_l2_var
37 reactive_power_l3_var
energy|apparent power|V.A|gauge|9|-2000000000|2000000000
38 apparent_power_va
39 apparent_power_l1_va
40 apparent_power_l2_va
41 apparent_power_l3_va
energy|power factor|1|gauge|9|-1|1
42 power_factor
43 power_factor_l1
44 power_factor_l2
45 power_factor_l3
energy|voltage|V|gauge|9|0|300000
46 voltage_l1_v
47 voltage_l2_v
48 voltage_l3_v
49 voltage_l1_l2_v
50 voltage_l2_l3_v
51 voltage_l3_l1_v
energy|current|A|gauge|9|-100000|100000
52 current_l1_a
53 current_l2_a
54 current_l3_a
55 current_n_a
energy|frequency|Hz|gauge|9|40|70
56 frequency_hz
energy|harmonic distortion|%|gauge|9|0|1000
59 voltage_thd_l1_pct
60 voltage_thd_l2_pct
61 voltage_thd_l3_pct
62 current_thd_l1_pct
63 current_thd_l2_pct
64 current_thd_l3_pct
energy|unbalance|%|gauge|9|0|100
65 voltage_unbalance_pct
66 current_unbalance_pct
energy|direct voltage|V|gauge|9|-5000|5000
67 dc_voltage_v
energy|direct current|A|gauge|9|-100000|100000
68 dc_current_a
energy|direct-current power|W|gauge|9|-2000000000|2000000000
69 dc_power_w
energy|gas volume|L|counter|8|0|1000000000000000
80 gas_volume_l
81 gas_volume_standard_l
energy|gas flow|L/h|gauge|9|0|1000000000
82 gas_flow_l_h
energy|water volume|L|counter|8|0|1000000000000000
83 water_volume_l
energy|water flow|L/h|gauge|9|-1000000000|1000000000
84 water_flow_l_h
energy|steam mass|g|counter|8|0|1000000000000000
85 steam_mass_g
energy|steam flow|kg/h|gauge|9|0|1000000
86 steam_flow_kg_h
energy|steam heat|kJ|counter|8|0|1000000000000000
87 steam_heat_kj
energy|heat|kJ|counter|8|0|1000000000000000
88 heat_kj
energy|heat power|W|gauge|9|-2000000000|2000000000
89 heat_power_w
energy|compressed air volume|L|counter|8|0|1000000000000000
90 compressed_air_volume_l
energy|compressed air flow|L/h|gauge|9|0|1000000000
91 compressed_air_flow_l_h
energy|liquid fuel volume|L|counter|8|0|1000000000000000
92 diesel_volume_l
energy|solid fuel mass|g|counter|8|0|1000000000000000
93 coal_mass_g
94 biomass_mass_g
energy|heat carrier temperature|Cel|gauge|9|-50|800
95 supply_temperature_c
96 return_temperature_c
environment|air temperature|Cel|gauge|9|-50|125
110 temperature_c
111 dew_point_c
environment|relative humidity|%|gauge|9|0|100
112 relative_humidity_pct
environment|carbon dioxide|[ppm]|gauge|9|0|100000
113 co2_ppm
environment|methane|[ppm]|gauge|9|0|1000000
114 methane_ppm
environment|air pressure|Pa|gauge|9|30000|120000
115 pressure_pa
environment|particulate matter|ug/m3|gauge|9|0|100000
116 pm2_5_ug_m3
117 pm10_ug_m3
environment|illuminance|lx|gauge|9|0|200000
118 illuminance_lx
equipment|vibration velocity|mm/s|gauge|9|0|1000
140 vibration_velocity_rms_mm_s
160 vibration_velocity_peak_mm_s
equipment|vibration acceleration|m/s2|gauge|9|0|10000
141 vibration_acceleration_rms_m_s2
equipment|vibration frequency|Hz|gauge|9|0|100000
161 vibration_peak_hz
equipment|vibration zone|1|state|5|0|4
162 vibration_zone
equipment|machine state|1|state|5|0|255
142 machine_state
equipment|switch state|1|state|5|0|1
143 relay_state
144 valve_state
equipment|pieces|{piece}|counter|8|0|1000000000000000
145 good_count
146 reject_count
equipment|cycles|{cycle}|counter|8|0|1000000000000000
147 cycle_count
148 start_count
149 pulse_count
equipment|time in a state|s|counter|8|0|10000000000
150 run_time_s
151 idle_time_s
152 fault_time_s
equipment|rotational speed|{revolution}/min|gauge|9|-200000|200000
153 speed_rpm
equipment|surface temperature|Cel|gauge|9|-100|1500
154 surface_temperature_c
equipment|gauge pressure|Pa|gauge|9|-100000|100000000
155 gauge_pressure_pa
equipment|level|%|gauge|9|0|100
156 level_pct
equipment|output mass|g|counter|8|0|1000000000000000
157 output_mass_g
equipment|output volume|L|counter|8|0|1000000000000000
158 output_volume_l
equipment|alarm|1|event|3|-2147483648|2147483647
159 alarm_code
node|uptime|s|counter|8|0|10000000000
200 uptime_s
node|memory|By|gauge|9|0|100000000
201 heap_free_b
202 heap_used_max_b
203 flash_free_b
node|records held|{record}|gauge|9|0|100000000
204 journal_records
205 ram_records
node|signal strength|dB{mW}|gauge|9|-150|30
206 rssi_dbm
node|faults counted|{event}|counter|8|0|1000000000000000
207 meter_errors
208 meter_timeouts
209 samples_dropped
210 records_overwritten
211 link_reconnects
212 clock_steps
node|clock offset|ms|gauge|9|-1000000000|1000000000
213 clock_offset_ms
node|chip temperature|Cel|gauge|9|-50|150
214 chip_temperature_c
node|supply voltage|V|gauge|9|0|60
215 supply_voltage_v
node|reset cause|1|event|3|0|255
216 reset_cause
"""
